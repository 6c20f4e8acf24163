// A browser that collects faults: errors, requests to other hosts, accessibility violations.

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import path from 'node:path';

const { CHROMIUM, NODE_MODULES, SCREENSHOTS } = process.env;
const require = createRequire(path.join(NODE_MODULES, 'walk.js'));
const { chromium } = require('playwright-core');
const axe = require.resolve('axe-core/axe.min.js');

/** Milliseconds that a page or an element may take to appear on a slow machine. */
export const PATIENCE = 180_000;

/** The widths and colour schemes in which every page is checked. */
const LOOKS = [
    { name: 'desktop-light', width: 1280, scheme: 'light' },
    { name: 'desktop-dark', width: 1280, scheme: 'dark' },
    { name: 'phone-light', width: 390, scheme: 'light' },
    { name: 'phone-dark', width: 390, scheme: 'dark' },
];

export class Browser {
    /** @param url of the site; scope: what axe-core looks at; looks: see LOOKS; slack: pixels too wide that do not count */
    static async start({ url, scope = {}, looks = LOOKS, slack = 1 }) {
        const browser = await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox'] });
        return new Browser(browser, await browser.newContext(), { url, scope, looks, slack });
    }

    constructor(browser, context, options) {
        Object.assign(this, { browser, context }, options);
        /** Everything that went wrong. */
        this.faults = [];
        /** A refusal that is to come. */
        this.expected = null;
        context.setDefaultTimeout(PATIENCE);
    }

    /** From now on, this answer of this address is no fault. */
    expects(status, address) {
        this.expected = { status: String(status), url: this.url + address };
    }

    isExpected(text, url) {
        return this.expected !== null && text.includes(this.expected.status) && url === this.expected.url;
    }

    async open() {
        const page = await this.context.newPage();
        page.on('console', message => {
            const isFault = ['error', 'warning'].includes(message.type());
            if (isFault && !this.isExpected(message.text(), message.location().url)) this.faults.push(`${page.url()}: ${message.text()}`);
        });
        page.on('pageerror', error => this.faults.push(`${page.url()}: ${error.message}`));
        page.on('request', request => {
            const url = request.url();
            if (!url.startsWith(`${this.url}/`) && !url.startsWith('data:')) this.faults.push(`leaves the host: ${url}`);
        });
        page.on('response', response => {
            const isFault = response.status() >= 400 && !this.isExpected(String(response.status()), response.url());
            if (isFault) this.faults.push(`${response.status()} for ${response.url()}`);
        });
        return page;
    }

    /** Checks the open page at each width and in each scheme, also with axe-core. */
    async look(page, name) {
        for (const look of this.looks) {
            await page.setViewportSize({ width: look.width, height: 900 });
            // Without transitions, or axe-core would see colours between the two schemes.
            await page.emulateMedia({ colorScheme: look.scheme, reducedMotion: 'reduce' });
            const overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
            assert.ok(overflow <= this.slack, `${name} at ${look.width} px is ${overflow} px too wide`);
            await this.runAxe(page, `${name} (${look.name})`);
            if (SCREENSHOTS) await page.screenshot({ path: path.join(SCREENSHOTS, `${name}-${look.name}.png`), fullPage: true });
        }
        await page.setViewportSize({ width: 1280, height: 900 });
        await page.emulateMedia({ colorScheme: 'light', reducedMotion: 'reduce' });
    }

    async runAxe(page, name) {
        // Through the protocol, not as an element: the page's security policy blocks foreign scripts.
        const session = await this.context.newCDPSession(page);
        const { readFile } = await import('node:fs/promises');
        await session.send('Runtime.evaluate', { expression: await readFile(axe, 'utf8') });
        await session.detach();
        const { violations } = await page.evaluate(scope => window.axe.run({ include: ['html'], ...scope }), this.scope);
        for (const { id, impact, help, nodes } of violations) {
            if (['serious', 'critical'].includes(impact)) {
                const places = nodes.slice(0, 3).map(node => node.html.slice(0, 200)).join(' | ');
                this.faults.push(`${name}: ${impact}: ${id}: ${help}: ${nodes.length} times: ${places}`);
            }
        }
    }

    async close() {
        await this.browser.close();
        assert.deepEqual(this.faults, [], 'no faults');
    }
}
