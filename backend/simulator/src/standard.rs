//! The standard modules of every organisation.

use std::collections::BTreeMap;

use super::{
    administrator::Administered,
    people::Profiles,
    policies::Policies,
    records::Records,
    schema::{DECIMALS, Field, Ids, Kind, Module, Organisation, choices},
};

/// The length of the largest text area in standard modules.
const LARGE_TEXTAREA: u32 = 32_000;

/// An organisation with Zoho's standard modules and no records. Ids continue from an earlier one, so that none is
/// reused.
pub(super) fn organisation(ids: Ids) -> Organisation {
    let (profiles, policies) = (Profiles::default(), Policies::default());
    let mut organisation = Organisation { modules: BTreeMap::new(), ids, profiles, policies };
    let modules = [
        ("Leads", "Lead", "Last_Name", "Email", leads()),
        ("Accounts", "Account", "Account_Name", "Account_Name", accounts()),
        ("Contacts", "Contact", "Full_Name", "Email", contacts()),
        ("Products", "Product", "Product_Name", "Product_Name", products()),
    ];
    for (plural, singular, display_field, check, fields) in modules {
        let mut module = module(&mut organisation.ids, (singular, plural, plural), display_field, false);
        module.duplicate_checks = vec![check.to_owned()];
        for standard in fields {
            add(&mut module, &mut organisation.ids, standard);
        }
        organisation.modules.insert(plural.to_owned(), module);
    }
    organisation
}

/// A custom module, with a mandatory name.
pub(super) fn custom_module(ids: &mut Ids, singular: &str, plural: &str, api_name: &str, name_label: &str) -> Module {
    let mut module = module(ids, (singular, plural, api_name), "Name", true);
    let mut name = Standard::new("Name", Kind::Text).mandatory();
    name.length = 120;
    add(&mut module, ids, name);
    if let Some(name) = module.fields.get_mut("Name") {
        name.label = name_label.to_owned();
    }
    module
}

fn module(
    ids: &mut Ids,
    (singular, plural, api_name): (&str, &str, &str),
    display_field: &str,
    custom: bool,
) -> Module {
    let mut module = Module {
        id: ids.next(),
        api_name: api_name.to_owned(),
        singular: singular.to_owned(),
        plural: plural.to_owned(),
        custom,
        fields: BTreeMap::new(),
        display_field: display_field.to_owned(),
        duplicate_checks: Vec::new(),
        records: Records::default(),
    };
    for standard in [
        Standard::new("Owner", Kind::Owner),
        Standard::new("Created_By", Kind::Owner).read_only(),
        Standard::new("Modified_By", Kind::Owner).read_only(),
        Standard::new("Created_Time", Kind::DateTime).read_only(),
        Standard::new("Modified_Time", Kind::DateTime).read_only(),
    ] {
        add(&mut module, ids, standard);
    }
    module
}

fn add(module: &mut Module, ids: &mut Ids, standard: Standard) {
    let field = Field {
        id: ids.next(),
        api_name: standard.name.to_owned(),
        label: standard.name.replace('_', " "),
        kind: standard.kind,
        length: standard.length,
        decimals: DECIMALS,
        mandatory: standard.mandatory,
        read_only: standard.read_only,
        unique: None,
        custom: false,
        administered: Administered::default(),
    };
    module.fields.insert(field.api_name.clone(), field);
}

struct Standard {
    name: &'static str,
    kind: Kind,
    length: u32,
    mandatory: bool,
    read_only: bool,
}

impl Standard {
    fn new(name: &'static str, kind: Kind) -> Self {
        let length = kind.length();
        Self { name, kind, length, mandatory: false, read_only: false }
    }

    fn length(self, length: u32) -> Self {
        Self { length, ..self }
    }

    fn mandatory(self) -> Self {
        Self { mandatory: true, ..self }
    }

    fn read_only(self) -> Self {
        Self { read_only: true, ..self }
    }
}

fn texts(names: &[&'static str], length: u32) -> impl Iterator<Item = Standard> {
    names.iter().map(move |name| Standard::new(name, Kind::Text).length(length))
}

fn phones(names: &[&'static str]) -> impl Iterator<Item = Standard> {
    names.iter().map(|name| Standard::new(name, Kind::Phone))
}

fn picklist(name: &'static str, values: &[&str]) -> Standard {
    Standard::new(name, Kind::Picklist(choices(values)))
}

fn description() -> Standard {
    Standard::new("Description", Kind::Textarea).length(LARGE_TEXTAREA)
}

fn lead_source() -> Standard {
    picklist("Lead_Source", &["-None-", "Advertisement", "Cold Call", "Employee Referral", "Partner", "Web Research"])
}

fn salutation() -> Standard {
    picklist("Salutation", &["-None-", "Mr.", "Mrs.", "Ms.", "Dr.", "Prof."])
}

/// The fields that leads and contacts share.
fn person() -> Vec<Standard> {
    let mut fields = vec![
        salutation(),
        Standard::new("First_Name", Kind::Text).length(40),
        Standard::new("Last_Name", Kind::Text).length(80).mandatory(),
        Standard::new("Full_Name", Kind::Text).length(80).read_only(),
        Standard::new("Email", Kind::Email),
        Standard::new("Secondary_Email", Kind::Email),
        Standard::new("Phone", Kind::Phone).length(50),
        Standard::new("Email_Opt_Out", Kind::Boolean),
        lead_source(),
        description(),
    ];
    fields.extend(phones(&["Mobile", "Fax"]));
    fields
}

fn leads() -> Vec<Standard> {
    let mut fields = person();
    fields.push(Standard::new("Company", Kind::Text).length(200));
    fields.push(Standard::new("Website", Kind::Website));
    fields.push(picklist("Lead_Status", &["-None-", "Contacted", "Not Contacted", "Lost Lead", "Pre-Qualified"]));
    fields.extend(texts(&["Designation", "City", "State", "Country", "Zip_Code"], 100));
    fields.extend(texts(&["Street"], 250));
    fields
}

fn contacts() -> Vec<Standard> {
    let mut fields = person();
    fields.push(Standard::new("Account_Name", Kind::Lookup("Accounts".to_owned())));
    fields.push(Standard::new("Date_of_Birth", Kind::Date));
    fields.extend(texts(&["Mailing_Street", "Other_Street"], 250));
    fields.extend(texts(&["Mailing_City", "Mailing_State", "Mailing_Country", "Other_City", "Other_Country"], 100));
    fields.extend(texts(&["Mailing_Zip", "Other_State", "Other_Zip"], 30));
    fields.extend(texts(&["Title", "Department"], 100));
    fields.extend(texts(&["Assistant", "Skype_ID", "Twitter"], 50));
    fields.extend(phones(&["Home_Phone", "Other_Phone", "Asst_Phone"]));
    fields
}

fn accounts() -> Vec<Standard> {
    let mut fields = vec![
        Standard::new("Account_Name", Kind::Text).length(200).mandatory(),
        Standard::new("Website", Kind::Website),
        Standard::new("Employees", Kind::Integer),
        Standard::new("Annual_Revenue", Kind::Currency),
        Standard::new("Parent_Account", Kind::Lookup("Accounts".to_owned())),
        description(),
    ];
    fields.extend(phones(&["Phone", "Fax"]));
    fields.extend(texts(&["Account_Number", "Account_Site"], 80));
    fields.extend(texts(&["Billing_Street", "Shipping_Street"], 250));
    fields.extend(texts(&["Billing_City", "Billing_Country", "Shipping_City", "Shipping_Country"], 100));
    fields
}

fn products() -> Vec<Standard> {
    vec![
        Standard::new("Product_Name", Kind::Text).length(200).mandatory(),
        Standard::new("Product_Code", Kind::Text).length(200),
        Standard::new("Product_Active", Kind::Boolean),
        Standard::new("Unit_Price", Kind::Currency),
        Standard::new("Taxable", Kind::Boolean),
        Standard::new("Qty_in_Stock", Kind::Double),
        Standard::new("Sales_Start_Date", Kind::Date),
        Standard::new("Sales_End_Date", Kind::Date),
        picklist("Product_Category", &["-None-", "Hardware", "Software", "CRM Applications"]),
        picklist("Usage_Unit", &["Box", "Carton", "Each", "Hours", "Quantity"]),
        description(),
    ]
}
