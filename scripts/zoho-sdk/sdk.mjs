// One of Zoho's SDKs for JavaScript, signed in to the simulator, and what looks at what it made of
// an answer. The two SDKs have the same classes.

import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const [modules, name, folder] = process.argv.slice(2);
const url = process.env.ZOHO_URL;
const loaded = await import(createRequire(join(modules, 'x')).resolve(name));
export const sdk = loaded.default?.Record ? loaded.default : loaded;
export const simulator = url;
const known = JSON.parse(readFileSync(new URL('known.json', import.meta.url)));

let passed = 0;
let failed = 0;

export async function step(title, work) {
    try {
        await work();
        passed += 1;
    } catch (error) {
        failed += 1;
        const where = error.stack?.split('\n').find((line) => line.includes('drive')) ?? '';
        console.log(`  FAILED ${title}: ${error.code ?? ''} ${error.message}\n${where}`);
    }
}

export function finish() {
    console.log(`${name}: ${passed} of ${passed + failed} steps passed`);
    process.exitCode = failed === 0 && passed > 0 ? 0 : 1;
}

// --- Signing in ---------------------------------------------------------------

// In a new place for tokens and the fields of modules, without a user who signed in before: the
// SDK would take the earlier token.
export async function signIn(build) {
    sdk.Initializer.LOCAL.clear();
    const place = mkdtempSync(join(folder, 'sdk-'));
    const environment = sdk.DataCenter.setEnvironment(url, `${url}/oauth/v2/token`, url);
    const token = build(new sdk.OAuthBuilder()).build();
    const builder = await new sdk.InitializeBuilder();
    const config = new sdk.SDKConfigBuilder().pickListValidation(false).autoRefreshFields(false).build();
    builder.environment(environment).token(token).SDKConfig(config);
    builder.store(new sdk.FileStore(join(place, 'tokens'))).resourcePath(place);
    await builder.initialize();
    return token;
}

export const client = (builder) => builder.clientId('test').clientSecret('test');

// --- The simulator's other side -------------------------------------------------

export async function control(method, path, body) {
    const answer = await fetch(`${url}/__sim/${path}`, { method, body: body && JSON.stringify(body) });
    assert.ok(answer.ok, `${path}: ${answer.status} ${await answer.clone().text()}`);
    return answer.status === 204 ? null : answer.json();
}

export async function grantMore(...more) {
    const { scopes } = await control('GET', 'settings');
    await control('POST', 'settings', { scopes: [...scopes, ...more] });
}

// The next call meets this fault.
export async function withFault(fault, work) {
    await control('POST', 'faults', [{ fault, match: { times: 1 } }]);
    try {
        return await work();
    } finally {
        await control('DELETE', 'faults');
    }
}

// --- Making requests -------------------------------------------------------------

// Calls the setters of an object; some of them are asynchronous.
export async function fill(object, values) {
    for (const [key, value] of Object.entries(values)) {
        await object[`set${key}`](value);
    }
    return object;
}

export function record(values) {
    const made = new sdk.Record.Record();
    for (const [key, value] of Object.entries(values)) {
        made.addKeyValue(key, value);
    }
    return made;
}

export async function records(...all) {
    return fill(new sdk.Record.BodyWrapper(), { Data: all.map(record), Trigger: [] });
}

// Parameters, or headers, of a call: pairs of the SDK's names and values.
export async function map(kind, ...pairs) {
    const made = new sdk[kind]();
    for (const [key, value] of pairs) {
        await made.add(key, value);
    }
    return made;
}

export const parameters = (...pairs) => map('ParameterMap', ...pairs);

// --- Looking at answers ------------------------------------------------------------

// The SDK's object of an answer: of this class, holding all that the answer said, in words that the
// SDK knows.
export function object(response, status, packageName, className) {
    const made = response.getObject();
    const raw = response.getResponseJSON();
    assert.equal(response.getStatusCode(), status, JSON.stringify(raw));
    assert.ok(made instanceof sdk[packageName][className], `${made?.constructor.name} of ${JSON.stringify(raw)}`);
    const lost = [];
    compare(raw, made, '', lost);
    assert.deepEqual(lost, [], JSON.stringify(raw).slice(0, 400));
    checkWords(made, packageName);
    return made;
}

export function list(response, status, packageName, getter, className) {
    const made = object(response, status, packageName, className.endsWith('Response') ? 'ActionWrapper' : className);
    const entries = made[getter]();
    for (const entry of entries) {
        checkWords(entry, packageName);
    }
    return entries;
}

// An error, of a call or of one record.
export function refused(exception, packageName, code, details = {}) {
    assert.ok(exception instanceof sdk[packageName].APIException, `${exception?.constructor.name} is no APIException`);
    checkWords(exception, packageName);
    assert.equal(exception.getStatus().getValue(), 'error');
    assert.equal(exception.getCode().getValue(), code);
    for (const [key, value] of Object.entries(details)) {
        assert.equal(String(exception.getDetails().get(key)), String(value), `detail ${key}`);
    }
}

export function succeeded(entry, packageName, message) {
    assert.ok(entry instanceof sdk[packageName].SuccessResponse, `${entry?.constructor.name} is no SuccessResponse`);
    assert.equal(entry.getStatus().getValue(), 'success');
    assert.equal(entry.getCode().getValue(), 'SUCCESS');
    const said = entry.getMessage();
    assert.equal(said.getValue?.() ?? said, message);
    return entry.getDetails();
}

const plain = (text) => text.toLowerCase().replace(/[^a-z0-9]/g, '');

// Lists what an answer says and the object that the SDK made of it does not. What is null says nothing.
function compare(raw, made, path, lost) {
    if (raw === null || path.replace(/\[\d+\]/g, '[]') in known.lost) {
        return;
    }
    if (Array.isArray(raw)) {
        raw.forEach((value, place) => compare(value, made?.[place], `${path}[${place}]`, lost));
    } else if (typeof raw === 'object') {
        for (const [key, value] of Object.entries(raw)) {
            compare(value, member(made, key), `${path}.${key}`, lost);
        }
    } else if (!same(raw, made?.constructor.name === 'Choice' ? made.getValue() : made)) {
        lost.push(`${path}: ${JSON.stringify(raw)} became ${String(made)}`);
    }
}

function member(made, key) {
    const values = made instanceof Map ? made : made?.keyValues;
    if (values instanceof Map) {
        // Where the SDK does not know the module, it takes the field Name for its own name of a record.
        return values.get(key) ?? (key === 'Name' ? values.get('name') : undefined);
    }
    const own = Object.keys(made ?? {}).find((name) => plain(name) === plain(key));
    return own && made[own];
}

function same(raw, made) {
    if (made instanceof Date) {
        return /^\d{4}-\d\d-\d\d(T\d\d:\d\d:\d\d[+-]\d\d:\d\d)?$/.test(raw) && made.getTime() === Date.parse(raw);
    }
    if (typeof made === 'bigint') {
        return String(made) === String(raw);
    }
    return made === raw;
}

// Where the SDK lists the words of a code or message, the simulator uses one of them.
function checkWords(made, packageName) {
    const snake = (text) => text.replace(/API/, 'Api').replace(/(?<!^)[A-Z]/g, (letter) => `_${letter}`).toLowerCase();
    const place = `core/com/zoho/crm/api/${snake(packageName)}/${snake(made.constructor.name)}`;
    for (const key of ['code', 'message', 'status', 'action']) {
        const words = sdk.Initializer.jsonDetails[place]?.[key]?.values ?? [];
        const word = made[key]?.getValue?.();
        const heard = [...words, ...Object.keys(known.words)].some((listed) => plain(listed) === plain(word ?? ''));
        assert.ok(words.length === 0 || word == null || heard, `${place} knows no ${key} "${word}"`);
    }
}
