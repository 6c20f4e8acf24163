// An administrator's walk through the plugin's pages. Called by scripts/plugin-pages, with the step.

import assert from 'node:assert/strict';
import { Browser, PATIENCE } from '../console/browser.mjs';

const { ADMIN_PASSWORD, BACKEND_URL, MOODLE_URL, SITE_TOKEN } = process.env;
const STATUS = '/local/backend_sync/status.php';
const SETTINGS = '/admin/settings.php?section=local_backend_sync';
const PREVIEW = '/local/backend_sync/preview.php';
const LOOKS = [
    { name: 'desktop', width: 1280, scheme: 'light' },
    { name: 'phone', width: 390, scheme: 'light' },
];

// The red of Moodle's own errors is too light.
const scope = { include: ['[role=main]'], exclude: ['.form-item .error'] };
const browser = await Browser.start({ url: MOODLE_URL, scope, looks: LOOKS });
const page = await browser.open();
const main = page.locator('[role=main]');
const say = words => console.log(`  ${words}`);
const go = address => page.goto(MOODLE_URL + address);
const shows = words => page.locator('#region-main').getByText(words).first().waitFor();
const press = name => main.getByRole('button', { name, exact: true }).click();
/** Presses what asks, and agrees. */
async function pressAndConfirm(name, agree = name) {
    await press(name);
    await page.locator('.modal-dialog, #modal-content, #notice').getByRole('button', { name: agree, exact: true }).click();
}

/** Checks the open page, also for the marks of deprecated styles. */
async function look(name) {
    const marks = await page.evaluate(() => [...document.querySelectorAll('[role=main] *')]
        .filter(element => /Deprecated style/.test(getComputedStyle(element, '::before').content))
        .map(element => element.outerHTML.slice(0, 200)));
    assert.deepEqual(marks, [], `${name} has deprecated styles`);
    // Moodle's own rows of settings are some pixels too wide for a phone.
    browser.slack = page.url().includes('/admin/settings.php') ? 7 : 1;
    await browser.look(page, name);
}

/** On a page of its own, because what Moodle's pages complain about is no fault of the plugin. */
async function signIn() {
    const door = await browser.context.newPage();
    await door.goto(`${MOODLE_URL}/login/index.php`);
    await door.locator('#username').fill('admin');
    await door.locator('#password').fill(ADMIN_PASSWORD);
    await door.locator('#loginbtn').click();
    await door.waitForURL(url => !url.pathname.startsWith('/login/'));
    await door.close();
}

/** From a new plugin to the start, without a dead end. */
async function first_day() {
    await go(SETTINGS);
    await shows(/Not set up yet/);
    await look('settings-new');
    const url = main.getByRole('textbox', { name: 'Backend API URL' });
    await url.fill('sync.college.example');
    await press('Save and test connection');
    await shows(/The backend API URL is not valid/);
    await look('settings-wrong-url');
    await url.fill(BACKEND_URL);
    await main.getByRole('textbox', { name: 'Site token' }).fill('bss_0123456789012345678901234567890123456789');
    await press('Save and test connection');
    await shows(/does not accept the site token/);
    await look('settings-wrong-token');
    await main.getByRole('textbox', { name: 'Site token' }).fill(SITE_TOKEN);
    await press('Save and test connection');
    await shows(/The connection works. The backend knows this site as "college"/);
    await shows(/sending has not been started/);
    assert.ok(!(await page.content()).includes(SITE_TOKEN), 'the page never shows the token');
    await look('settings-tested');
    say('what is typed is saved and tested with one button, and each mistake is told');
    await main.getByRole('link', { name: 'What is sent' }).click();
    await main.getByRole('textbox').fill('student');
    await press('Show');
    await shows('Several people match');
    await look('preview-people');
    await main.getByRole('link', { name: 'Ada Lovelace' }).click();
    await shows('ada@college.example');
    const closed = main.locator('details:not([open]) > summary').locator('visible=true');
    while (await closed.count()) await closed.first().click();
    await look('preview-person');
    say('what is sent about a person is shown before anything is sent');
    await go(STATUS);
    await shows('Nothing has left this site yet');
    assert.equal(await main.getByRole('button', { name: 'Send now' }).count(), 0, 'nothing can be sent before the start');
    await look('status-new');
    await press('Test connection');
    await shows('The connection works');
    await look('test-connection');
    await go(STATUS);
    await press('Start sending');
    await shows('The full synchronisation will start within a minute');
    await look('status-started');
    say('sending is started by one button');
}

async function well() {
    await go(STATUS);
    await shows(/All is well/);
    await shows(/The backend holds what Moodle holds/);
    await look('status-well');
    await press('Compare now');
    await shows('The comparison begins with the next run');
    await press('Send now');
    await shows(/changes were sent|There was nothing to send|changes? was sent/);
    await go(SETTINGS);
    await shows(/All is well/);
    await look('settings-well');
    await go(`${PREVIEW}?search=ada`);
    await shows('Up to date');
    await look('preview-up-to-date');
    say('all is well, and is compared');
}

const ticked = () => main.locator('tbody input[type=checkbox]:checked').count();

async function rejected() {
    await go(STATUS);
    await shows(/rejected 5 changes/);
    await look('status-rejected');
    const all = main.getByRole('checkbox', { name: 'Select all' });
    await all.check();
    assert.equal(await ticked(), 5, '"Select all" ticks each row');
    await all.uncheck();
    assert.equal(await ticked(), 0, 'and unticks it');
    await press('Retry');
    await shows('Nothing is selected');
    await main.locator('tbody input[type=checkbox]').first().check();
    await press('Discard');
    await shows('Discard the selected change?');
    await look('confirm-discard');
    await page.getByRole('button', { name: 'Cancel' }).click();
    await shows(/rejected 5 changes/);
    await main.locator('tbody input[type=checkbox]').first().check();
    await pressAndConfirm('Discard');
    await shows('Discarded.');
    await shows(/rejected 4 changes/);
    await main.locator('tbody input[type=checkbox]').first().check();
    await press('Retry');
    await shows(/rejected 3 changes/);
    await main.getByRole('checkbox', { name: 'Select all' }).check();
    await press('Retry');
    await shows('The backend has not rejected any changes.');
    await look('status-none-rejected');
    say('rejected changes are selected, retried and discarded');
}

async function down() {
    await go(STATUS);
    await press('Send now');
    await shows(/Nothing accepts connections at/);
    await shows(/Delivery has been failing since/);
    await look('status-down');
    await press('Test connection');
    await shows(/Nothing accepts connections at/);
    await look('test-connection-down');
    await go(SETTINGS);
    await press('Save and test connection');
    await shows(/Nothing accepts connections at/);
    await look('settings-down');
    say('a backend that is down is told with what to do');
}

async function up_again() {
    await go(SETTINGS);
    await press('Save and test connection');
    await shows(/The connection works/);
    await go(STATUS);
    await shows(/All is well/);
    say('the test ends the outage');
}

async function went_back() {
    await go(STATUS);
    await shows(/was restored from an older backup/);
    assert.equal(await main.getByRole('button', { name: 'Send now' }).count(), 0, 'it asks first');
    await look('status-went-back');
    await press('Compare everything and go on');
    await shows(/Was this site restored from an older backup/);
    await look('confirm-went-back');
    await page.getByRole('button', { name: 'Compare everything and go on' }).click();
    await page.waitForURL(url => url.pathname === STATUS);
    await go(STATUS);
    assert.equal(await main.getByRole('button', { name: 'Compare everything and go on' }).count(), 0);
    await look('status-went-on');
    say('a restored site asks, and goes on');
}

async function copied() {
    await go(STATUS);
    await shows(/copied or moved from another address/);
    assert.equal(await main.getByRole('button', { name: 'Send now' }).count(), 0, 'it asks first');
    await look('status-copied');
    await pressAndConfirm('This is the right site');
    await go(STATUS);
    await shows(/All is well/);
    say('a copied site sends nothing, until an administrator says that it has moved');
}

const steps = { first_day, well, rejected, down, up_again, went_back, copied };
page.setDefaultTimeout(PATIENCE);
try {
    await signIn();
    await steps[process.argv[2]]();
} catch (error) {
    console.error(`${error.stack}\nat ${page.url()}:\n${(await page.locator('#region-main').innerText().catch(() => '')).slice(0, 1_000)}`);
    throw error;
} finally {
    await browser.close();
}
