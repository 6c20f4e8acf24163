// What the walks have in common: reading pages until something happens, a Moodle's plugin, a mailbox.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { PATIENCE } from './browser.mjs';

export const { CONSOLE_URL } = process.env;
const { MAILS } = process.env;
let sequence = 0;

export const say = words => console.log(`  ${words}`);

export async function go(page, address) {
    await page.goto(CONSOLE_URL + address);
    await page.locator('h1').waitFor();
}

/** Reloads a page until its text is as expected. */
export async function reloadUntil(page, address, expected) {
    const main = page.locator('main');
    const end = Date.now() + PATIENCE;
    while (Date.now() < end) {
        await go(page, address);
        if (expected(await main.innerText())) return;
        await page.waitForTimeout(500);
    }
    assert.fail(`${address} does not become as expected: ${expected}\n${await main.innerText()}`);
}

/** What the plugin would send. */
export async function send(siteToken, type, ...data) {
    const time = Math.floor(Date.now() / 1_000);
    const events = data.map(data => ({ id: crypto.randomUUID(), type, time, sequence: ++sequence, data }));
    const headers = { 'X-Moodle-Token': siteToken, 'Content-Type': 'application/json' };
    const body = JSON.stringify({ events });
    const answer = await fetch(`${CONSOLE_URL}/api/v1/events/moodle/batch`, { method: 'POST', headers, body });
    const { outcomes } = await answer.json();
    assert.deepEqual(outcomes.filter(({ outcome }) => outcome === 'rejected'), []);
}

/** The newest mail with such a subject. */
export async function mail(subject) {
    const end = Date.now() + PATIENCE;
    let mails = [];
    while (Date.now() < end) {
        mails = readFileSync(MAILS, 'utf8').split('\n').filter(Boolean).map(line => JSON.parse(line));
        const found = mails.findLast(mail => subject.test(mail.subject));
        if (found) return found;
        await new Promise(done => setTimeout(done, 200));
    }
    throw new Error(`no mail with ${subject} among: ${mails.map(({ subject }) => subject).join(' | ')}`);
}
