//! `backend-sync zoho check`

use super::client;
use crate::{
    cli::{CliError, open, print},
    clock::Clock,
    config::{self, Config},
    delivery::Destination as _,
    live::read_mapping,
    zoho::{
        client::{Attempt, CallError, Client},
        destination::{Zoho, read_modules},
        mapping::{Mapping, ModuleMapping},
        rehearsal::{Weight, rehearse},
        setup::{
            Survey,
            check::{MappingFinding, Severity, check},
        },
    },
};

/// Prints the results, and counts failed checks.
#[derive(Default)]
struct CheckLines {
    failed: usize,
}

impl CheckLines {
    fn print(&self, mark: &str, name: &str, text: impl std::fmt::Display) -> Result<(), CliError> {
        print(format_args!("{mark:<6}  {name:<18}  {text}"))
    }

    fn ok(&self, name: &str, text: impl std::fmt::Display) -> Result<(), CliError> {
        self.print("ok", name, text)
    }

    fn failed(&mut self, name: &str, text: impl std::fmt::Display) -> Result<(), CliError> {
        self.failed += 1;
        self.print("FAILED", name, text)
    }
}

pub(super) async fn run(config: &Config, zoho: &config::Zoho, deep: bool, clock: &Clock) -> Result<(), CliError> {
    let mut lines = CheckLines::default();
    let client = client(zoho, clock)?;
    let mapping = match read_mapping(zoho) {
        Ok(mapping) => {
            let file =
                zoho.mapping.as_ref().map_or_else(|| "the default".to_owned(), |path| path.display().to_string());
            lines.ok("mapping", file)?;
            Some(mapping)
        }
        Err(error) => {
            lines.failed("mapping", error)?;
            None
        }
    };
    let connected = connection(&mut lines, &client).await?;
    if let Some(mapping) = mapping.filter(|_| connected) {
        let survey = match read_modules(&client, &mapping).await {
            Ok(modules) => Survey::read(&client, &mapping, modules).await,
            Err(error) => Err(error),
        };
        match survey {
            Ok(survey) => organisation(&mut lines, &client, &mapping, &survey, deep.then_some(clock)).await?,
            Err(error) => lines.failed("fields", lacking(&error, "read fields", "ZohoCRM.settings.fields.READ"))?,
        }
    }
    if lines.failed > 0 {
        return Err(CliError::Unhealthy(lines.failed));
    }
    match note(config, clock).await {
        Ok(()) => Ok(()),
        // It needs no database, so it works before the first start of the server.
        Err(error) => lines.print("note", "doctor", format_args!("does not learn that all is well: {error}")),
    }
}

/// Stores that all is well, for the list of the first day.
async fn note(config: &Config, clock: &Clock) -> Result<(), CliError> {
    let store = open(config, clock).await?;
    let saved = store.save_check(Zoho::NAME, clock.now()).await;
    store.close().await;
    Ok(saved?)
}

/// Whether the credentials suffice for more checks.
async fn connection(lines: &mut CheckLines, client: &Client) -> Result<bool, CliError> {
    match client.org().await {
        Ok(org) => {
            lines.ok("credentials", "Zoho accepts them")?;
            let edition = org.edition.map(|edition| format!(", edition {edition}")).unwrap_or_default();
            lines.ok("organisation", format_args!("{}{edition}", org.name))?;
        }
        Err(error @ CallError::Configuration { .. }) => {
            lines.failed("organisation", lacking(&error, "look at the organisation", "ZohoCRM.org.READ"))?;
            return Ok(false);
        }
        Err(error) => {
            lines.failed("credentials", error)?;
            return Ok(false);
        }
    }
    if let Err(error) = client.modules().await {
        lines.failed("modules", lacking(&error, "list the modules", "ZohoCRM.settings.modules.READ"))?;
        return Ok(false);
    }
    if let Some((left, _)) = client.limiter().credits() {
        lines.print("note", "credits", format_args!("{left} API credits left, less than half of the allowance"))?;
    }
    Ok(true)
}

/// Compares the mapping with the organisation, tries the delivery's calls, and rehearses it if asked to.
async fn organisation(
    lines: &mut CheckLines,
    client: &Client,
    mapping: &Mapping,
    survey: &Survey,
    deep: Option<&Clock>,
) -> Result<(), CliError> {
    if survey.user_is_a_person() == Some(true) {
        let text = "the connection's user seems to be a person: when that person leaves, the delivery ends. Better connect as a user of \
                    its own, named after what it does, such as Moodle Sync";
        lines.print("note", "connection", text)?;
    }
    for unknown in &survey.unknown {
        lines.print("note", "unknown", unknown)?;
    }
    let findings = check(mapping, &survey.modules);
    for (name, module) in &survey.modules {
        let Some(module) = module else { continue };
        let tables: Vec<_> = mapping.modules().map(|(_, table)| table).filter(|table| table.module == *name).collect();
        let works = attempts(lines, client, name, &tables).await?;
        let fits = !findings.iter().any(|finding| finding.module == *name && finding.severity == Severity::Error);
        if works && fits {
            lines.ok(name, format_args!("has all fields that the mapping needs ({} in all)", module.fields.len()))?;
        }
    }
    for finding in &findings {
        print_finding(lines, finding)?;
    }
    if findings.iter().any(|finding| finding.setup_can_fix) {
        print("\nbackend-sync zoho setup creates what is missing.")?;
    }
    match deep {
        Some(_) if lines.failed > 0 => {
            print("\nNo made-up records were written: the check without --deep must be content first.")
        }
        Some(clock) => deeply(lines, client, mapping, survey, clock).await,
        None => Ok(()),
    }
}

/// Tries each kind of call that the delivery makes to the module; true if all work.
async fn attempts(
    lines: &mut CheckLines,
    client: &Client,
    module: &str,
    tables: &[&ModuleMapping],
) -> Result<bool, CliError> {
    let before = lines.failed;
    for attempt in Attempt::ALL {
        if let Err(error) = client.attempt(module, attempt).await {
            let what = format!("{} records", attempt.verb());
            let scope = format!("ZohoCRM.modules.{module}.{}", attempt.scope());
            lines.failed(module, lacking(&error, &what, &scope))?;
        }
    }
    let fields = tables
        .iter()
        .flat_map(|table| std::iter::once(&table.key).chain(table.matches.iter().map(|field| &field.field)));
    for field in fields {
        // A missing field is a finding of its own.
        match client.find_equal(module, field, &["backend sync check".to_owned()], &[]).await {
            Ok(_) => {}
            Err(CallError::Configuration { code, .. }) if code == "INVALID_QUERY" => {
                let text = "Zoho cannot search by the field: it is not there, has several lines, or is restricted by privacy settings.";
                lines.failed(&format!("{module}.{field}"), text)?;
            }
            Err(error) => lines.failed(module, lacking(&error, "search records by COQL", "ZohoCRM.coql.READ"))?,
        }
    }
    Ok(lines.failed == before)
}

/// What the credentials or the user may not do.
fn lacking(error: &CallError, what: &str, scope: &str) -> String {
    match error {
        CallError::Configuration { code, .. } if code == "OAUTH_SCOPE_MISMATCH" => format!(
            "cannot {what}: the credentials lack the scope {scope}. Create new ones with backend-sync zoho connect, which names all scopes"
        ),
        error => format!("cannot {what}: {error}"),
    }
}

async fn deeply(
    lines: &mut CheckLines,
    client: &Client,
    mapping: &Mapping,
    survey: &Survey,
    clock: &Clock,
) -> Result<(), CliError> {
    print("\nA made-up record in each module is written, read back, changed, found and deleted:")?;
    for finding in rehearse(client, mapping, &survey.modules, clock, tokio::time::sleep).await {
        match finding.weight {
            Weight::Good => lines.ok(&finding.place, finding.text)?,
            Weight::Note => lines.print("note", &finding.place, finding.text)?,
            Weight::Bad => lines.failed(&finding.place, finding.text)?,
        }
    }
    print("What was deleted lies in Zoho's recycle bin for 60 days.")
}

fn print_finding(lines: &mut CheckLines, finding: &MappingFinding) -> Result<(), CliError> {
    let field = finding.field.as_ref().map(|field| format!(".{field}")).unwrap_or_default();
    let name = format!("{}{field}", finding.module);
    let text = format!("{} {}", finding.problem, finding.advice);
    match finding.severity {
        Severity::Error => lines.failed(&name, text),
        Severity::Warning => lines.print("note", &name, text),
    }
}
