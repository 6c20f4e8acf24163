//! The names of countries, which new organisations have as lists in their addresses.

use super::schema::{Kind, Organisation, choices};

/// What the API names of these fields end with.
const SUFFIX: &str = "_Country";

const COUNTRIES: [&str; 64] = [
    "Argentina",
    "Australia",
    "Austria",
    "Bangladesh",
    "Belgium",
    "Brazil",
    "Bulgaria",
    "Canada",
    "Chile",
    "China",
    "Colombia",
    "Croatia",
    "Cyprus",
    "Czech Republic",
    "Denmark",
    "Egypt",
    "Estonia",
    "Finland",
    "France",
    "Germany",
    "Ghana",
    "Greece",
    "Hungary",
    "Iceland",
    "India",
    "Indonesia",
    "Ireland",
    "Israel",
    "Italy",
    "Japan",
    "Kenya",
    "Latvia",
    "Lithuania",
    "Luxembourg",
    "Malaysia",
    "Malta",
    "Mexico",
    "Morocco",
    "Nepal",
    "Netherlands",
    "New Zealand",
    "Nigeria",
    "Norway",
    "Pakistan",
    "Peru",
    "Philippines",
    "Poland",
    "Portugal",
    "Romania",
    "Saudi Arabia",
    "Singapore",
    "Slovakia",
    "Slovenia",
    "South Africa",
    "South Korea",
    "Spain",
    "Sweden",
    "Switzerland",
    "Turkey",
    "Ukraine",
    "United Arab Emirates",
    "United Kingdom",
    "United States",
    "Vietnam",
];

/// Makes the countries of all addresses lists, or texts.
pub(super) fn list(organisation: &mut Organisation, lists: bool) {
    let fields = organisation.modules.values_mut().flat_map(|module| module.fields.values_mut());
    for field in fields.filter(|field| field.api_name.ends_with(SUFFIX) && !field.custom) {
        field.kind = if lists { Kind::Picklist(choices(&COUNTRIES)) } else { Kind::Text };
    }
}
