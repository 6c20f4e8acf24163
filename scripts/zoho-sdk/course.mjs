// The module of the simulator that the SDK makes: a field of each type, and two records.

import { fill, record, sdk } from './sdk.mjs';

export const kinds = {
    Course_Key: 'text',
    Second_Key: 'text',
    Seats: 'integer',
    Total: 'bigint',
    Rate: 'double',
    Open: 'boolean',
    Start: 'date',
    Begins: 'datetime',
    State: 'picklist',
    Tags: 'multiselectpicklist',
    Teacher: 'lookup',
    Mail: 'email',
    Phone: 'phone',
    Notes: 'textarea',
    Price: 'currency',
    Site: 'website',
};

async function choices(...values) {
    const made = values.map((value) =>
        fill(new sdk.Fields.PickListValue(), { DisplayValue: value, ActualValue: value }));
    return Promise.all(made);
}

// What a field has besides its label and type.
async function more(name) {
    switch (name) {
        case 'Course_Key':
        case 'Second_Key':
            return { Length: 100, Unique: await fill(new sdk.Fields.Unique(), { Casesensitive: 'false' }) };
        case 'State':
            return { PickListValues: await choices('Planned', 'Running') };
        case 'Tags':
            return { PickListValues: await choices('Red', 'Green', 'Blue') };
        case 'Teacher': {
            const module = await fill(new sdk.Modules.MinifiedModule(), { APIName: 'Contacts' });
            return { Lookup: await fill(new sdk.Fields.Lookup(), { Module: module, DisplayLabel: 'Courses' }) };
        }
        case 'Notes':
            return { Textarea: await fill(new sdk.Fields.Textarea(), { Type: 'large' }) };
        default:
            return {};
    }
}

// The new fields, five a call.
export async function columns() {
    const calls = [];
    for (const [place, [name, kind]] of Object.entries(kinds).entries()) {
        const values = { FieldLabel: name.replace('_', ' '), DataType: kind, ...(await more(name)) };
        (calls[Math.floor(place / 5)] ??= []).push(await fill(new sdk.Fields.Fields(), values));
    }
    return calls;
}

export const lines = (teacher) => [
    {
        Name: 'Physics',
        Course_Key: 'KEY-1',
        Second_Key: 'PHYSICS',
        Seats: 30,
        Total: 123456789012345678n,
        Rate: 0.75,
        Open: true,
        Start: new Date('2026-09-01'),
        Begins: new Date('2026-09-01T08:30:00Z'),
        State: new sdk.Choice('Planned'),
        Tags: [new sdk.Choice('Red'), new sdk.Choice('Blue')],
        Teacher: record({ id: teacher }),
        Mail: 'physics@college.example',
        Phone: '+41 31 000 00 00',
        Notes: 'Two lines:\nthis is the second.',
        Price: 99.5,
        Site: 'https://college.example/physics',
    },
    { Name: 'Chemistry', Course_Key: 'KEY-2', Begins: new Date('2026-10-01T09:00:00Z') },
];
