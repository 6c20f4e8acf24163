// Drives the simulator through one of Zoho's SDKs for JavaScript, as scripts/zoho-sdk-test calls it:
//     ZOHO_URL=SIMULATOR node drive.mjs NODE_MODULES PACKAGE FOLDER
// Each step compares what the SDK made of the answer, in its own classes, with what was to happen.

import assert from 'node:assert/strict';

import { client, control, fill, finish, grantMore, list, map, object, parameters, records, refused } from './sdk.mjs';
import { sdk, signIn, simulator, step, succeeded } from './sdk.mjs';
import { columns, kinds, lines } from './course.mjs';

const contacts = new sdk.Record.RecordOperations('Contacts');
const courses = new sdk.Record.RecordOperations('Lessons');
const modules = new sdk.Modules.ModulesOperations();
const fields = new sdk.Fields.FieldsOperations();
const ids = {};

// What the SDK and these steps need beside what Backend Sync asks for: the search and the user.
await grantMore('ZohoSearch.securesearch.READ', 'ZohoCRM.users.READ');

// --- Access ---------------------------------------------------------------------

await step('the refresh token is refused', async () => {
    const expected = { code: 'INVALID TOKEN ERROR', message: 'invalid_code' };
    await assert.rejects(signIn((token) => client(token).refreshToken('wrong').findUser(false)), expected);
});

await step('an access token is refused', async () => {
    await signIn((token) => token.accessToken('wrong').findUser(false));
    refused(object(await modules.getModules(), 401, 'Modules', 'APIException'), 'Modules', 'INVALID_TOKEN');
});

await step('a grant code becomes a refresh token', async () => {
    const token = await signIn((builder) => client(builder).grantToken('simulator').findUser(false));
    assert.equal(token.getRefreshToken(), 'simulator');
    assert.match(token.getAccessToken(), /^1000\./);
});

await step('a refresh token becomes an access token', async () => {
    const token = await signIn((builder) => client(builder).refreshToken('simulator'));
    assert.match(token.getAccessToken(), /^1000\./);
    assert.equal(token.getAPIDomain(), simulator);
    const life = Number(token.getExpiresIn()) - Date.now();
    assert.ok(life > 3_000_000 && life <= 3_600_000, `it lives ${life} ms`);
    // The SDK has read the user and the organisation.
    assert.equal(token.getUserSignature()?.getName(), 'admin@simulator.example:5200000000000000099');
});

await step('the organisation', async () => {
    const [org] = list(await new sdk.Org.OrgOperations().getOrganization(), 200, 'Org', 'getOrg', 'ResponseWrapper');
    assert.equal(org.getCompanyName(), 'Simulated organisation');
    assert.equal(org.getType().getValue(), 'production');
    assert.equal(org.getLicenseDetails().getPaidType(), 'enterprise');
});

// --- Modules and fields -------------------------------------------------------------

async function fieldsOf(module) {
    const response = await fields.getFields(await parameters([sdk.Fields.GetFieldsParam.MODULE, module]));
    const all = list(response, 200, 'Fields', 'getFields', 'ResponseWrapper');
    return Object.fromEntries(all.map((field) => [field.getAPIName(), field]));
}

async function newFields(...all) {
    const body = await fill(new sdk.Fields.BodyWrapper(), { Fields: all });
    return fields.createField(body, await parameters([sdk.Fields.CreateFieldParam.MODULE, 'Lessons']));
}

async function newModule(values) {
    const profile = await fill(new sdk.Profiles.MinifiedProfile(), { Id: ids.profile });
    const made = await fill(new sdk.Modules.Modules(), { ...values, Profiles: [profile] });
    return modules.createCustomModules(await fill(new sdk.Modules.BodyWrapper(), { Modules: [made] }));
}

const labels = { SingularLabel: 'Lesson', PluralLabel: 'Lessons', APIName: 'Lessons' };

await step('all modules', async () => {
    const all = list(await modules.getModules(), 200, 'Modules', 'getModules', 'ResponseWrapper');
    const module = all.find((each) => each.getAPIName() === 'Contacts');
    assert.equal(module.getAPISupported(), true);
    assert.equal(module.getGeneratedType().getValue(), 'default');
    assert.equal(module.getPluralLabel(), 'Contacts');
    ids.profile = module.getProfiles()[0].getId();
    assert.equal(typeof ids.profile, 'bigint');
});

await step('a module is made', async () => {
    const entries = list(await newModule(labels), 201, 'Modules', 'getModules', 'SuccessResponse');
    ids.module = succeeded(entries[0], 'Modules', 'module created successfully').get('id');
    const [module] = list(await modules.getModule(ids.module), 200, 'Modules', 'getModules', 'ResponseWrapper');
    assert.equal(module.getAPIName(), 'Lessons');
    assert.equal(module.getGeneratedType().getValue(), 'custom');
    const byName = await modules.getModuleByAPIName('Lessons');
    assert.equal(list(byName, 200, 'Modules', 'getModules', 'ResponseWrapper')[0].getId(), ids.module);
});

await step('a module is refused: its name is taken, a label is missing', async () => {
    const taken = list(await newModule(labels), 400, 'Modules', 'getModules', 'APIExceptionResponse');
    refused(taken[0], 'Modules', 'DUPLICATE_DATA', { api_name: 'api_name' });
    const lacking = { PluralLabel: 'Others', APIName: 'Others' };
    const missing = list(await newModule(lacking), 400, 'Modules', 'getModules', 'APIExceptionResponse');
    refused(missing[0], 'Modules', 'MANDATORY_NOT_FOUND', { api_name: 'singular_label' });
});

await step('fields are made, five a call', async () => {
    for (const five of await columns()) {
        const entries = list(await newFields(...five), 201, 'Fields', 'getFields', 'SuccessResponse');
        assert.equal(entries.length, five.length);
        entries.forEach((entry) => assert.ok(succeeded(entry, 'Fields', 'field created').get('id') > 0n));
    }
});

await step('fields are refused: taken, of no type, of a wrong type, too many', async () => {
    const field = (values) => fill(new sdk.Fields.Fields(), values);
    const wrong = [{ FieldLabel: 'Seats', DataType: 'integer' }, { FieldLabel: 'Odd' }, { FieldLabel: 'Odd', DataType: 'odd' }];
    const codes = ['DUPLICATE_DATA', 'MANDATORY_NOT_FOUND', 'INVALID_DATA'];
    for (const [place, values] of wrong.entries()) {
        const entries = list(await newFields(await field(values)), 400, 'Fields', 'getFields', 'APIExceptionResponse');
        refused(entries[0], 'Fields', codes[place], { api_name: place === 0 ? 'field_label' : 'data_type' });
    }
    const six = await Promise.all(['A', 'B', 'C', 'D', 'E', 'F'].map((label) => field({ FieldLabel: label, DataType: 'text' })));
    refused(object(await newFields(...six), 400, 'Fields', 'APIException'), 'Fields', 'LIMIT_EXCEEDED', { limit: 5 });
});

await step('the fields of a module', async () => {
    const found = await fieldsOf('Lessons');
    for (const [name, kind] of Object.entries(kinds)) {
        assert.equal(found[name].getDataType(), kind, name);
        assert.equal(found[name].getCustomField(), true, name);
    }
    assert.equal(found.Name.getSystemMandatory(), true);
    assert.equal(found.Course_Key.getLength(), 100);
    assert.ok(found.Course_Key.getUnique() instanceof sdk.Fields.Unique);
    assert.deepEqual(found.State.getPickListValues().map((value) => value.getDisplayValue()), ['Planned', 'Running']);
    assert.equal(found.Teacher.getLookup().getModule().getAPIName(), 'Contacts');
    assert.equal((await fieldsOf('Contacts')).Last_Name.getLength(), 80);
});

await step('fields are refused: no module, an unknown one', async () => {
    const none = object(await fields.getFields(new sdk.ParameterMap()), 400, 'Fields', 'APIException');
    refused(none, 'Fields', 'REQUIRED_PARAM_MISSING', { param_name: 'module' });
    const of = await parameters([sdk.Fields.GetFieldsParam.MODULE, 'Nothing']);
    refused(object(await fields.getFields(of), 400, 'Fields', 'APIException'), 'Fields', 'INVALID_MODULE');
});

// --- Writing -------------------------------------------------------------------------

const written = (response, status) => list(response, status, 'Record', 'getData', 'SuccessResponse');

await step('records are inserted', async () => {
    const person = await records({ Last_Name: 'Ohm', First_Name: 'Ada', Email: 'ada@college.example' });
    const details = succeeded(written(await contacts.createRecords(person), 201)[0], 'Record', 'record added');
    ids.teacher = BigInt(details.get('id'));
    assert.ok(Math.abs(details.get('Created_Time') - Date.now()) < 3_600_000);
    assert.equal(details.get('Created_By').getName(), 'Simulated Administrator');
    const entries = written(await courses.createRecords(await records(...lines(ids.teacher))), 201);
    ids.courses = entries.map((entry) => BigInt(succeeded(entry, 'Record', 'record added').get('id')));
    assert.equal(ids.courses.length, 2);
});

const one = async (id) => list(await courses.getRecord(id), 200, 'Record', 'getData', 'ResponseWrapper')[0];

await step('a record is read, a value of each type', async () => {
    const course = await one(ids.courses[0]);
    assert.equal(course.getId(), ids.courses[0]);
    for (const [key, value] of Object.entries(lines(ids.teacher)[0])) {
        const got = course.getKeyValue(key);
        if (key === 'Teacher') {
            assert.equal(got.getId(), ids.teacher);
            assert.equal(got.getKeyValue('name'), 'Ada Ohm');
        } else {
            assert.deepEqual(got, value, key);
        }
    }
    assert.ok(course.getCreatedBy() instanceof sdk.Users.MinifiedUser);
    assert.equal(course.getKeyValue('Owner').getName(), 'Simulated Administrator');
    assert.ok(course.getModifiedTime() instanceof Date);
});

await step('what is empty is null', async () => {
    const course = await one(ids.courses[1]);
    assert.equal(course.getKeyValue('Seats'), null);
    assert.equal(course.getKeyValue('Teacher'), null);
    assert.equal(course.getKeyValue('Open'), false);
});

await step('records are listed: all, a page, by id', async () => {
    const of = sdk.Record.GetRecordsParam;
    const page = (...pairs) => parameters([of.FIELDS, 'Name,Course_Key'], ...pairs);
    const wrapper = object(await courses.getRecords(await page()), 200, 'Record', 'ResponseWrapper');
    assert.equal(wrapper.getData().length, 2);
    assert.equal(wrapper.getInfo().getCount(), 2);
    assert.equal(wrapper.getInfo().getMoreRecords(), false);
    const first = object(await courses.getRecords(await page([of.PER_PAGE, 1])), 200, 'Record', 'ResponseWrapper');
    assert.equal(first.getInfo().getMoreRecords(), true);
    const token = [of.PAGE_TOKEN, first.getInfo().getNextPageToken()];
    const next = object(await courses.getRecords(await page([of.PER_PAGE, 1], token)), 200, 'Record', 'ResponseWrapper');
    assert.deepEqual([...first.getData(), ...next.getData()].map((course) => course.getId()).sort(), [...ids.courses].sort());
    const byId = await courses.getRecords(await page([of.IDS, String(ids.courses[1])]));
    assert.equal(list(byId, 200, 'Record', 'getData', 'ResponseWrapper')[0].getKeyValue('Course_Key'), 'KEY-2');
});

await step('an upsert updates, and inserts', async () => {
    const body = await records({ Name: 'Physics II', Course_Key: 'key-1' }, { Name: 'Logic', Course_Key: 'KEY-3' });
    body.setDuplicateCheckFields(['Course_Key']);
    const [updated, added] = written(await courses.upsertRecords(body), 200);
    assert.equal(BigInt(succeeded(updated, 'Record', 'record updated').get('id')), ids.courses[0]);
    assert.equal(updated.getAction().getValue(), 'update');
    assert.equal(updated.getDuplicateField(), 'Course_Key');
    ids.courses.push(BigInt(succeeded(added, 'Record', 'record added').get('id')));
    assert.equal(added.getAction().getValue(), 'insert');
    assert.equal(added.getDuplicateField() ?? null, null);
    assert.equal((await one(ids.courses[0])).getKeyValue('Name'), 'Physics II');
    assert.equal((await one(ids.courses[0])).getKeyValue('Seats'), 30);
});

await step('an update changes and clears', async () => {
    const change = await courses.updateRecord(ids.courses[0], await records({ Name: 'Physics', Seats: null }));
    succeeded(written(change, 200)[0], 'Record', 'record updated');
    const both = await records({ id: ids.courses[0], State: new sdk.Choice('Running') }, { id: ids.courses[1], Seats: 12 });
    written(await courses.updateRecords(both), 200).forEach((entry) => succeeded(entry, 'Record', 'record updated'));
    const [first, second] = [await one(ids.courses[0]), await one(ids.courses[1])];
    assert.equal(first.getKeyValue('Seats'), null);
    assert.equal(first.getKeyValue('State').getValue(), 'Running');
    assert.equal(second.getKeyValue('Seats'), 12);
});

// --- Searching, and what was deleted ----------------------------------------------------

// The search lags.
await control('POST', 'clock', { advance_seconds: 60 });

await step('a search by criteria, by address, without a hit', async () => {
    const of = sdk.Record.SearchRecordsParam;
    const search = async (operations, ...pair) => operations.searchRecords(await parameters(pair));
    const hit = await search(courses, of.CRITERIA, '((Course_Key:equals:KEY-2)and(Name:starts_with:Chem))');
    assert.equal(list(hit, 200, 'Record', 'getData', 'ResponseWrapper')[0].getId(), ids.courses[1]);
    const person = await search(contacts, of.EMAIL, 'ada@college.example');
    assert.equal(list(person, 200, 'Record', 'getData', 'ResponseWrapper')[0].getId(), ids.teacher);
    const nobody = await search(contacts, of.EMAIL, 'nobody@college.example');
    assert.deepEqual([nobody.getStatusCode(), nobody.getObject()], [204, null]);
});

await step('COQL', async () => {
    const query = "select Name, Seats, Teacher from Lessons where Course_Key = 'KEY-2' limit 10";
    const body = await fill(new sdk.Coql.BodyWrapper(), { SelectQuery: query });
    const wrapper = object(await new sdk.Coql.CoqlOperations().getRecords(body), 200, 'Coql', 'ResponseWrapper');
    const [course] = wrapper.getData();
    assert.equal(course.getId(), ids.courses[1]);
    assert.equal(course.getName(), 'Chemistry');
    assert.equal(course.getKeyValue('Seats'), 12);
    assert.equal(wrapper.getInfo().getMoreRecords(), false);
    body.setSelectQuery('select Name from Lessons where Nothing = 1');
    const wrong = await new sdk.Coql.CoqlOperations().getRecords(body);
    refused(object(wrong, 400, 'Coql', 'APIException'), 'Coql', 'INVALID_QUERY', { column_name: 'Nothing' });
});

await step('records are deleted, alone and together', async () => {
    const alone = written(await courses.deleteRecord(ids.courses[2]), 200);
    assert.equal(BigInt(succeeded(alone[0], 'Record', 'record deleted').get('id')), ids.courses[2]);
    const both = await parameters([sdk.Record.DeleteRecordsParam.IDS, ids.courses.slice(0, 2).join(',')]);
    assert.equal(written(await courses.deleteRecords(both), 200).length, 2);
    const gone = await courses.getRecord(ids.courses[0]);
    assert.deepEqual([gone.getStatusCode(), gone.getObject()], [204, null]);
});

await step('what was deleted is listed, all and since then', async () => {
    const all = object(await courses.getDeletedRecords(), 200, 'Record', 'DeletedRecordsWrapper');
    assert.deepEqual(all.getData().map((each) => each.getId()).sort(), [...ids.courses].sort());
    const chemistry = all.getData().find((each) => each.getId() === ids.courses[1]);
    assert.equal(chemistry.getDisplayName(), 'Chemistry');
    assert.equal(chemistry.getType(), 'recycle');
    assert.equal(chemistry.getDeletedBy().getName(), 'Simulated Administrator');
    assert.equal(all.getInfo().getCount(), 3);
    const since = async (time) => {
        const header = [sdk.Record.GetDeletedRecordsHeader.IF_MODIFIED_SINCE, time];
        return courses.getDeletedRecords(new sdk.ParameterMap(), await map('HeaderMap', header));
    };
    const past = new Date(chemistry.getDeletedTime().getTime() - 60_000);
    assert.equal(object(await since(past), 200, 'Record', 'DeletedRecordsWrapper').getData().length, 3);
    const later = await since(new Date(chemistry.getDeletedTime().getTime() + 60_000));
    assert.deepEqual([later.getStatusCode(), later.getObject()], [204, null]);
});

await import('./refusals.mjs');
finish();
