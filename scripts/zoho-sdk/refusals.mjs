// Each kind of refusal, on the module that drive.mjs has made.

import assert from 'node:assert/strict';

import { client, control, list, object, parameters, record, records, refused } from './sdk.mjs';
import { sdk, signIn, step, succeeded, withFault } from './sdk.mjs';

const courses = new sdk.Record.RecordOperations('Lessons');
const written = (response, status) => list(response, status, 'Record', 'getData', 'SuccessResponse');
const refusals = (response, status) => list(response, status, 'Record', 'getData', 'APIExceptionResponse');

const insert = async (...all) => courses.createRecords(await records(...all));

await step('a mandatory field is missing', async () => {
    const [entry] = refusals(await insert({ Seats: 3 }), 400);
    refused(entry, 'Record', 'MANDATORY_NOT_FOUND', { api_name: 'Name', json_path: '$.data[0].Name' });
});

await step('data is invalid: type, length, choice, lookup', async () => {
    const wrong = [
        [{ Mail: 'nobody' }, { api_name: 'Mail', expected_data_type: 'email' }],
        [{ Course_Key: 'k'.repeat(101) }, { api_name: 'Course_Key', maximum_length: 100 }],
        [{ Phone: 'n/a' }, { api_name: 'Phone', expected_data_type: 'phone' }],
        [{ Teacher: record({ id: 1n }) }, { api_name: 'Teacher', json_path: '$.data[0].Teacher.id' }],
    ];
    for (const [values, details] of wrong) {
        const [entry] = refusals(await insert({ Name: 'Wrong', ...values }), 400);
        refused(entry, 'Record', 'INVALID_DATA', details);
    }
    // The SDK knows no `supported_values`.
    const [choice] = refusals(await insert({ Name: 'Wrong', State: new sdk.Choice('Over') }), 400);
    refused(choice, 'Record', 'INVALID_DATA', { api_name: 'State' });
});

await step('data is a duplicate', async () => {
    const [first] = written(await insert({ Name: 'Art', Course_Key: 'ART' }), 201);
    const [entry] = refusals(await insert({ Name: 'Art again', Course_Key: 'art' }), 400);
    refused(entry, 'Record', 'DUPLICATE_DATA', { api_name: 'Course_Key', id: first.getDetails().get('id') });
    const other = entry.getDetails().get('duplicate_record');
    assert.equal(other.getId(), BigInt(first.getDetails().get('id')));
    assert.equal(other.getModule().getAPIName(), 'Lessons');
});

await step('several errors of one record', async () => {
    const [body] = await Promise.all([records({ Name: 'Art too', Course_Key: 'ART', Second_Key: 'ART' })]);
    written(await insert({ Name: 'Music', Course_Key: 'MUSIC', Second_Key: 'ART' }), 201);
    const [entry] = refusals(await courses.createRecords(body), 400);
    refused(entry, 'Record', 'MULTIPLE_OR_MULTI_ERRORS');
});

await step('one record succeeds, one does not', async () => {
    const [good, bad] = written(await insert({ Name: 'Sport' }, { Name: 'Sport', Mail: 'nobody' }), 207);
    succeeded(good, 'Record', 'record added');
    refused(bad, 'Record', 'INVALID_DATA', { json_path: '$.data[1].Mail' });
});

await step('no such record', async () => {
    const [update] = refusals(await courses.updateRecord(1n, await records({ Name: 'None' })), 400);
    refused(update, 'Record', 'INVALID_DATA');
    const [removal] = refusals(await courses.deleteRecord(1n), 400);
    refused(removal, 'Record', 'INVALID_DATA', { id: 1 });
});

await step('a record is locked', async () => {
    const [entry] = refusals(await withFault('record_locked', () => insert({ Name: 'Locked' })), 400);
    refused(entry, 'Record', 'RECORD_LOCKED');
});

await step('no such module', async () => {
    const nothing = new sdk.Record.RecordOperations('Nothing');
    refused(object(await nothing.getDeletedRecords(), 400, 'Record', 'APIException'), 'Record', 'INVALID_MODULE');
    refused(object(await nothing.deleteRecord(1n), 400, 'Record', 'APIException'), 'Record', 'INVALID_MODULE');
});

// As Zoho's own description has it, and read by its SDKs as a record: errors of reading are lists.
await step('a parameter is missing when reading', async () => {
    const [error] = list(await courses.getRecords(), 400, 'Record', 'getData', 'ResponseWrapper');
    assert.equal(error.getKeyValue('code'), 'REQUIRED_PARAM_MISSING');
    assert.equal(error.getKeyValue('status'), 'error');
});

await step('a search is refused', async () => {
    const search = async (...pairs) => courses.searchRecords(await parameters(...pairs));
    refused(object(await search(), 400, 'Record', 'APIException'), 'Record', 'EXPECTED_PARAM_MISSING');
    const wrong = await search([sdk.Record.SearchRecordsParam.CRITERIA, '(Nothing:equals:1)']);
    refused(object(wrong, 400, 'Record', 'APIException'), 'Record', 'INVALID_QUERY');
});

await step('a scope is missing', async () => {
    const { scopes } = await control('GET', 'settings');
    await control('POST', 'settings', { scopes: scopes.filter((scope) => scope !== 'ZohoCRM.modules.ALL') });
    const answer = object(await insert({ Name: 'None' }), 401, 'Record', 'APIException');
    refused(answer, 'Record', 'OAUTH_SCOPE_MISMATCH');
    await control('POST', 'settings', { scopes });
});

for (const [fault, status, code] of [
    ['no_permission', 403, 'NO_PERMISSION'],
    ['too_many_requests', 429, 'TOO_MANY_REQUESTS'],
    ['limit_exceeded', 429, 'LIMIT_EXCEEDED'],
    ['internal_error', 500, 'INTERNAL_ERROR'],
]) {
    await step(`a call is refused with ${code}`, async () => {
        const answer = await withFault(fault, () => insert({ Name: 'None' }));
        refused(object(answer, status, 'Record', 'APIException'), 'Record', code);
    });
}

await step('too many access tokens', async () => {
    const another = () => signIn((token) => client(token).refreshToken('simulator').findUser(false));
    const expected = { code: 'INVALID TOKEN ERROR', message: 'Access Denied' };
    await assert.rejects(async () => {
        for (let count = 0; count < 11; count += 1) {
            await another();
        }
    }, expected);
});
