// An operator's walk through every page. Called by scripts/console-test.

import assert from 'node:assert/strict';
import { Browser, PATIENCE } from './browser.mjs';
import * as hands from './hands.mjs';
import { CONSOLE_URL, mail, say } from './hands.mjs';

const { CONSOLE_LINK, CONSOLE_TOKEN, ZOHO_URL } = process.env;

/** The site's, from the step that makes it. */
let siteToken;

const browser = await Browser.start({ url: CONSOLE_URL });
const page = await browser.open();
const main = page.locator('main');

const go = address => hands.go(page, address);
/** Waits until the page shows this text; pages that refresh themselves may take a while. */
const shows = words => main.getByText(words).first().waitFor();
/** Reloads a page until it shows this text. */
const reloadUntil = (address, words) => hands.reloadUntil(page, address, text => words.test(text));
const send = (type, ...data) => hands.send(siteToken, type, ...data);

/** The link that the demo prints signs in once, and stays nowhere. */
async function signInByLink() {
    await page.goto(CONSOLE_LINK);
    await page.waitForURL(`${CONSOLE_URL}/`);
    await page.locator('h1').waitFor();
    await page.goto(CONSOLE_LINK);
    await page.waitForURL(`${CONSOLE_URL}/`);
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.waitForURL(`${CONSOLE_URL}/sign-in`);
    browser.expects(401, '/sign-in');
    await page.goto(CONSOLE_LINK);
    await page.getByText('This link was used already').waitFor();
    assert.equal(page.url(), `${CONSOLE_URL}/sign-in`, 'the secret is not in the address any more');
    say('the printed link signs in once; whoever is signed in may follow it again, nobody else');
}

async function signIn() {
    await page.goto(`${CONSOLE_URL}/people`);
    assert.match(page.url(), /\/sign-in\?next=%2Fpeople$/);
    await browser.look(page, 'sign-in');
    await page.getByLabel('API token').fill(CONSOLE_TOKEN);
    await page.keyboard.press('Enter');
    await page.waitForURL(`${CONSOLE_URL}/people`);
    say('signing in by keyboard leads to the requested page');
}

async function overview() {
    await reloadUntil('/', /1 record needs a person/);
    await page.locator('.chart .uplot canvas').nth(3).waitFor();
    await browser.look(page, 'overview');
    await page.getByRole('link', { name: 'week' }).click();
    await shows('The last week');
    say('the overview shows what is wrong and draws four charts');
}

/** From "Needs attention" to the person that a parked grade waits for. */
async function whyIsAGradeParked() {
    await go('/');
    await page.getByRole('link', { name: 'Needs attention' }).click();
    await shows('What to do:');
    await browser.look(page, 'attention');
    await go('/records?state=parked&kind=grade');
    await browser.look(page, 'records');
    await main.getByRole('link', { name: /grade/i }).or(main.locator('tbody a')).first().click();
    await shows(/waits for/i);
    const why = main.getByRole('region', { name: 'Why' });
    await why.getByText('The decision, step by step').click();
    await why.getByText('The values that a delivery writes now').click();
    await why.getByRole('cell', { name: 'waits for that record' }).first().waitFor();
    await browser.look(page, 'record');
    say('a parked grade shows what it waits for, and what would be written');
    await why.locator('li.awaited a').first().click();
    await main.getByRole('list', { name: 'What waits for it' }).getByRole('link').first().waitFor();
    await browser.look(page, 'record-awaited');
    say('the drawn edge leads to the record that it waits for, which shows what waits for it');
}

async function findAPerson() {
    await go('/people');
    await page.getByRole('searchbox').fill('college:28');
    await page.keyboard.press('Enter');
    await page.locator('tbody a').first().waitFor();
    await browser.look(page, 'people');
    await page.locator('tbody a').first().click();
    await shows(/2 contacts in Zoho have this e-mail/);
    await shows('What happened');
    await browser.look(page, 'person');
    say('the search finds a person, whose page says in a sentence why they are not in Zoho');
}

async function acknowledgeAnAlert() {
    await reloadUntil('/alerts', /1 person is not in Zoho/);
    await browser.look(page, 'alerts');
    await main.getByLabel('For').first().selectOption('30 days');
    await page.getByRole('button', { name: /^Acknowledge/ }).first().click();
    await shows(/Acknowledged for 30 days/);
    await browser.look(page, 'alerts-acknowledged');
    await main.locator('article h3 a').first().click();
    await shows(/by first|by demo|by \w+/);
    await browser.look(page, 'alert');
    say('the alert about the failed record is acknowledged for a month');
}

async function approveAhead() {
    await go('/brake');
    await main.getByLabel('Number expected').fill('40');
    await main.getByRole('button', { name: 'Approve ahead' }).click();
    await shows(/40 more ahead/);
    await browser.look(page, 'brake');
    say('an expected flood is approved ahead');
}

/** While the cause is there, a retry only shows it again. */
async function retryWhatFailed() {
    await go('/attention?destination=zoho&state=failed&kind=user&code=email_taken');
    await shows(/Show everything that needs attention/);
    assert.equal(await main.locator('article').count(), 1, 'one group alone');
    await browser.look(page, 'attention-group');
    await page.getByRole('button', { name: /^Retry it/ }).first().click();
    await shows(/Retrying 1 record now/);
    await reloadUntil('/records/user:college:28', /2 contacts in Zoho have this e-mail/);
    say('the failed record is retried from its group');
}

/** An alert's mail is opened. One link leads to the person, whose contacts are doubled in Zoho: one is deleted there. */
async function fromMailToRemedy() {
    const { subject, text } = await mail(/^Alert: 1 person is not in Zoho: somebody else has the same e-mail address$/);
    console.log(text.replace(/^/gm, '  | '));
    const [, link] = text.match(/^Look and act: (\S+)$/m);
    const begin = Date.now();
    let clicks = 0;
    const click = async (role, name) => {
        clicks += 1;
        await main.getByRole(role, { name }).first().click();
    };
    await page.goto(link);
    await shows(/2 contacts in Zoho have this e-mail/);
    assert.ok(!new URL(link).pathname.match(/^\/(attention|alerts)?$/), `${link} is an overview`);
    const state = await (await fetch(`${ZOHO_URL}/__sim/state`)).json();
    const double = twoOfOneAddress(state);
    const gone = { id: double.id, $delete: true };
    const answer = await fetch(`${ZOHO_URL}/__sim/records/Contacts`, { method: 'POST', body: JSON.stringify(gone) });
    assert.ok(answer.ok, 'the second contact is deleted in Zoho');
    await click('button', 'Send again now');
    await reloadUntil(new URL(link).pathname, /The record is in Zoho|synced/);
    const seconds = (Date.now() - begin) / 1_000;
    assert.ok(clicks <= 1 && seconds < 60, `${clicks} clicks after the link, ${seconds} s`);
    await reloadUntil('/', /All is well/);
    await reloadUntil('/attention', /Nothing here needs you/);
    await reloadUntil('/people/college:28', /in Zoho/);
    const over = await mail(/^Resolved: 1 person is not in Zoho/);
    assert.ok(over.text.includes('The problem is gone.'), over.text);
    await reloadUntil('/alerts', /Nothing is wrong: no alert is open/);
    await browser.look(page, 'alerts-none');
    say(`from the mail "${subject}" to the remedy: one link, ${clicks} click, ${seconds.toFixed(1)} s`);
}

function twoOfOneAddress(state) {
    const contacts = state.modules.Contacts;
    const seen = new Map();
    for (const contact of contacts) {
        const before = seen.get(contact.Email);
        if (contact.Email && before) return before.Moodle_User_Key ? contact : before;
        seen.set(contact.Email, contact);
    }
    throw new Error('no two contacts share an address');
}

async function logs() {
    for (const name of ['events', 'attempts']) {
        await go(`/${name}`);
        await page.locator('tbody tr').first().waitFor();
        await browser.look(page, name);
    }
    await go('/events?outcome=superseded');
    await page.locator('tbody').getByText('superseded').first().waitFor();
    await go('/events');
    await page.locator('tbody a').first().click();
    await page.waitForURL(/\/(events|records|people)\//);
    const response = await page.request.get(`${CONSOLE_URL}/events.csv?type=user_created`);
    const lines = (await response.text()).trim().split('\n');
    assert.ok(response.ok() && lines.length > 200, 'the export has the events');
    say('events and attempts are listed, filtered and exported');
}

async function tokens() {
    await go('/sites');
    await browser.look(page, 'sites');
    await page.getByRole('button', { name: /Create another token/ }).first().click();
    await shows(/bss_[0-9a-f]{40}/);
    [siteToken] = (await main.innerText()).match(/bss_[0-9a-f]{40}/);
    await browser.look(page, 'new-token');
    await go('/sites');
    assert.doesNotMatch(await page.content(), /bss_[0-9a-f]{40}/, 'a token is shown only once');
    // The newest is on top.
    await page.locator('article').getByRole('link', { name: /^Revoke/ }).last().click();
    await page.getByRole('button', { name: /^Revoke token/ }).waitFor();
    await browser.look(page, 'revoke');
    await page.getByRole('button', { name: /^Revoke token/ }).click();
    await shows(/revoked/);
    say('a token is rotated: the new one is shown once, the old one is revoked');
}

async function mapping() {
    await go('/mapping');
    await browser.look(page, 'mapping');
    await page.getByRole('button', { name: 'Compare with Zoho now' }).click();
    await shows('The mapping fits Zoho');
    const editor = page.getByLabel('The mapping file');
    await editor.fill((await editor.inputValue()).replaceAll(/\bFirst_Name\b/g, 'No_Such_Field'));
    await page.getByRole('button', { name: 'Show what it would change' }).click();
    await shows(/No_Such_Field/);
    await browser.look(page, 'mapping-trial');
    say('the mapping is compared with Zoho, and a changed one is tried');
}

/** Somebody registers with the address of a person whom admissions know: a person looks, agrees, and takes it back. */
async function inbox() {
    const email = 'newcomer@example.org';
    const zoho = (place, body) => fetch(`${ZOHO_URL}/__sim/${place}`, { method: 'POST', body: JSON.stringify(body) });
    await zoho('records/Contacts', { Email: email, Last_Name: 'Applicant', Mailing_City: 'Hull' });
    // The search lags behind what is written.
    await zoho('clock', { advance_seconds: 3_000 });
    const account = { userid: 9_001, username: 'newcomer', firstname: 'Nora', lastname: 'Newcomer', email, city: 'York' };
    await send('user_created', { ...account, auth: 'email', confirmed: 1 });
    await reloadUntil('/adoptions', /before and after/);
    await browser.look(page, 'adoptions');
    await main.getByRole('link', { name: /before and after/ }).first().click();
    await main.getByRole('row', { name: /Hull.*York/ }).waitFor();
    await browser.look(page, 'adoption');
    await page.goBack();
    await main.getByRole('checkbox').first().check();
    await main.getByRole('button', { name: 'Adopt the chosen' }).click();
    await reloadUntil('/people/college:9001', /in Zoho/);
    await go('/adoptions');
    await shows('Nobody asks for a contact');
    await main.locator('tbody a').first().click();
    await main.getByRole('row', { name: /Hull.*York/ }).first().waitFor();
    await browser.look(page, 'adoption-made');
    await main.getByRole('button', { name: /Undo/ }).click();
    await cityInZohoIs(email, 'Hull');
    say('an adoption is looked at, approved, and undone: the contact has its values back');
}

async function cityInZohoIs(email, city) {
    const end = Date.now() + PATIENCE;
    let found;
    do {
        const state = await (await fetch(`${ZOHO_URL}/__sim/state`)).json();
        found = state.modules.Contacts.find(({ Email }) => Email === email);
        await page.waitForTimeout(500);
    } while (found.Mailing_City !== city && Date.now() < end);
    assert.equal(found.Mailing_City, city);
}

/** People change and delete contacts in Zoho: both are found, one is restored, the other left out and made again after all. */
async function parity() {
    const zoho = (place, body) => fetch(`${ZOHO_URL}/__sim/${place}`, { method: 'POST', body: JSON.stringify(body) });
    const contacts = async () => (await (await fetch(`${ZOHO_URL}/__sim/state`)).json()).modules.Contacts;
    const [moved, deleted] = (await contacts()).filter(({ Moodle_User_Key, Mailing_City }) => Moodle_User_Key && Mailing_City);
    await zoho('records/Contacts', { id: moved.id, Mailing_City: 'Goole' });
    await zoho('records/Contacts', { id: deleted.id, $delete: true });
    // Queries lag behind what is written.
    await zoho('clock', { advance_seconds: 3_000 });
    await go('/parity');
    await shows(/costs about \d+ API credits/);
    await main.getByRole('button', { name: 'Compare all now' }).click();
    await shows(/being compared now|compared/);
    await reloadUntil('/parity', /Goole[^]*Create again|Create again[^]*Goole/);
    await browser.look(page, 'parity');
    await main.getByText(/^Restore all 2$/).click();
    await main.getByRole('button', { name: /^Yes, restore all/ }).waitFor();
    await browser.look(page, 'parity-all');
    await reloadUntil('/', /1 record needs a person|2 records differ in Zoho/);
    await go('/attention');
    await shows(/1 changed, 1 deleted/);
    await browser.look(page, 'attention-findings');
    await main.getByRole('link', { name: /under Parity/ }).click();
    await main.getByRole('article').filter({ hasText: 'Goole' }).getByRole('link').first().click();
    await shows('Differs in Zoho');
    await browser.look(page, 'record-finding');
    await main.getByRole('button', { name: /^Restore/ }).click();
    await shows(/Decided about 1 finding/);
    await cityInZohoIs(moved.Email, moved.Mailing_City);
    await main.getByRole('button', { name: /^Leave it out/ }).press('Enter');
    await shows(/Nothing in Zoho waits for a decision/);
    await browser.look(page, 'parity-left');
    await main.getByRole('button', { name: /^Create it after all/ }).click();
    await reloadUntil('/', /All is well/);
    assert.ok((await contacts()).some(({ Moodle_User_Key }) => Moodle_User_Key === deleted.Moodle_User_Key), 'it is there again');
    say('a change in Zoho is shown side by side and restored; a deletion is left, and undone after all');
}

/** A script deletes people by mistake: what is above the ordinary waits, is refused, and later approved. */
async function brake() {
    await send('user_deleted', ...Array.from({ length: 60 }, (_, n) => ({ userid: 100 + n })));
    await reloadUntil('/brake', /10 deletions of people wait for a decision/);
    await browser.look(page, 'brake-waiting');
    await main.getByRole('button', { name: /^Refuse: it does not happen/ }).click();
    await shows(/Exceptions: /);
    await browser.look(page, 'brake-refused');
    await main.getByRole('button', { name: /^Take the refusals back/ }).click();
    await reloadUntil('/brake', /10 deletions of people wait for a decision/);
    await main.getByRole('button', { name: /^Approve: it happens now/ }).click();
    await reloadUntil('/', /All is well/);
    const state = await (await fetch(`${ZOHO_URL}/__sim/state`)).json();
    const deleted = state.modules.Contacts.filter(({ Moodle_Status }) => Moodle_Status === 'Deleted');
    assert.equal(deleted.length, 60, 'all deletions were done once they were approved');
    say('an unusual number of deletions waits, is refused, and is approved');
}

async function signOut() {
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.waitForURL(`${CONSOLE_URL}/sign-in`);
    await page.goto(CONSOLE_URL);
    assert.match(page.url(), /\/sign-in/);
    say('signed out');
}

const steps = [
    signInByLink, signIn, overview, whyIsAGradeParked, findAPerson, acknowledgeAnAlert, approveAhead, retryWhatFailed, fromMailToRemedy, logs,
    tokens, mapping, inbox, parity, brake, signOut,
];
try {
    for (const step of steps) await step();
} catch (error) {
    console.error(`at ${page.url()}:\n${(await main.innerText().catch(() => '')).slice(0, 2_000)}`);
    throw error;
} finally {
    await browser.close();
}
say('no error in the browser, no request to another host, no serious finding of axe-core');
