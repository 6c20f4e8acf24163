// An operator's first hour with an empty database: from the link that the first start prints, by what the console says is
// still to be done, until everything is in Zoho and nothing is left to do. Called by scripts/console-test.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { appendFileSync } from 'node:fs';
import { Browser } from './browser.mjs';
import { CONSOLE_URL, mail, reloadUntil, say, send } from './hands.mjs';

const { FIRST_LINK, FIRST_SITE_TOKEN, MAIL_PORT, PROGRAM, SETTINGS, ZOHO_URL } = process.env;

/** Seconds that all this may take. Most of it is the machine's; a person reads more slowly. */
const LONGEST = 120;

const ZOHO = `
[zoho]
accounts_url = "${ZOHO_URL}"
api_url = "${ZOHO_URL}"
client_id = "simulator"
client_secret = "simulator"
refresh_token = "simulator"
`;

const ALERTS = `
[alerts]
console_url = "${CONSOLE_URL}"
interval_seconds = 2
[alerts.rules]
disk_free_percent = 0
disk_free_mib = 0
[alerts.email.admins]
host = "127.0.0.1"
port = ${MAIL_PORT}
tls = "none"
from = "Backend Sync <sync@example.org>"
to = ["admin@example.org"]
`;

const browser = await Browser.start({ url: CONSOLE_URL });
const page = await browser.open();
const main = page.locator('main');
let clicks = 0;
let commands = 0;

/** What the person types into a terminal. */
function run(...words) {
    commands += 1;
    return execFileSync(PROGRAM, [...words, '--config', SETTINGS], { encoding: 'utf8' });
}

async function click(role, name, within = main) {
    clicks += 1;
    await within.getByRole(role, { name }).first().click();
}

/** The names in the list of what is still to be done. */
async function toDo() {
    const list = main.getByRole('region', { name: 'Still to do' });
    return await list.count() === 0 ? [] : list.locator('dt').allTextContents();
}

async function isDone(...names) {
    await reloadUntil(page, '/', text => text.length > 0);
    const left = await toDo();
    assert.deepEqual(left.filter(name => names.includes(name)), [], 'done, and no longer listed');
}

async function lookAround() {
    await page.goto(FIRST_LINK);
    await page.waitForURL(`${CONSOLE_URL}/`);
    await main.getByRole('heading', { name: 'Still to do' }).waitFor();
    assert.deepEqual(await toDo(), ['site', 'Moodle', 'Zoho', 'alerts', 'backup']);
    await browser.look(page, 'first-day');
    say('the link of the first start opens the console, signed in, on the list of what is to be done');
}

async function nameTheSite() {
    assert.match(run('site', 'rename', 'moodle', 'college'), /moodle is called college from now on/);
    await isDone('site');
    say('the site has a name of its own');
}

/** Twenty students in two courses, each with a grade: the plugin's first synchronisation. */
async function connectMoodle() {
    const people = Array.from({ length: 20 }, (_, n) => 3 + n);
    const user = id => ({
        userid: id, username: `student${id}`, firstname: 'Sam', lastname: `Student ${id}`, email: `student${id}@example.org`, confirmed: 1,
    });
    const course = id => ({ courseid: id, fullname: `Course ${id}`, shortname: `C${id}`, visible: 1 });
    const role = [{ shortname: 'student', archetype: 'student' }];
    const enrolment = (id, n) => ({
        enrollmentid: 100 + n, userid: id, courseid: 2 + n % 2, roles: role, enrol: 'manual', enabled: true, status: 0,
    });
    await send(FIRST_SITE_TOKEN, 'course_created', course(2), course(3));
    await send(FIRST_SITE_TOKEN, 'user_created', ...people.map(user));
    await send(FIRST_SITE_TOKEN, 'user_enrolled', ...people.map(enrolment));
    await reloadUntil(page, '/', text => !/has sent nothing yet/.test(text));
    await isDone('Moodle');
    say('Moodle has sent 42 records');
}

async function connectZoho() {
    appendFileSync(SETTINGS, ZOHO + ALERTS);
    run('zoho', 'setup', '--yes');
    await click('link', 'Mapping', page.getByRole('navigation'));
    await click('button', 'Read the settings again');
    await main.getByText('in use').first().waitFor();
    await click('button', 'Compare with Zoho now');
    await main.getByText('The mapping fits Zoho').waitFor();
    await reloadUntil(page, '/', text => /Synced\s*42\b/.test(text));
    await isDone('Zoho');
    const { modules } = await (await fetch(`${ZOHO_URL}/__sim/state`)).json();
    const keys = modules.Contacts.map(contact => contact.Moodle_User_Key);
    assert.ok(keys.length === 20 && keys.every(key => key.startsWith('college:')), `${keys}`);
    say('the settings are read again, the mapping is compared, and 42 records are in Zoho');
}

async function hearOfAlerts() {
    await click('link', /^Alerts/, page.getByRole('navigation'));
    await click('button', /test/i);
    await mail(/test/i);
    run('backup', `${SETTINGS}.backup`);
    await reloadUntil(page, '/', text => !text.includes('Still to do'));
    await reloadUntil(page, '/', text => text.includes('All is well'));
    await browser.look(page, 'first-day-done');
    say('a test mail has arrived, a backup is made: nothing is left to do, and all is well');
}

const begin = Date.now();
try {
    for (const step of [lookAround, nameTheSite, connectMoodle, connectZoho, hearOfAlerts]) await step();
} catch (error) {
    console.error(`at ${page.url()}:\n${(await main.innerText().catch(() => '')).slice(0, 2_000)}`);
    throw error;
} finally {
    await browser.close();
}
const seconds = (Date.now() - begin) / 1_000;
assert.ok(clicks <= 5 && seconds < LONGEST, `${clicks} clicks, ${seconds} s`);
say(`from the first start to synchronised: one link, ${clicks} clicks, ${commands} commands, ${seconds.toFixed(1)} s`);
