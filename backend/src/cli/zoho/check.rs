//! `backend-sync zoho check`

use super::client;
use crate::{
    app::read_mapping,
    cli::{CliError, print},
    clock::Clock,
    config,
    zoho::{
        client::{CallError, Client},
        destination::Modules,
        mapping::Mapping,
        setup::check::{MappingFinding, Severity, check},
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

pub(super) async fn run(config: &config::Zoho, clock: &Clock) -> Result<(), CliError> {
    let mut lines = CheckLines::default();
    let client = client(config, clock)?;
    let mapping = match read_mapping(config) {
        Ok(mapping) => {
            let file =
                config.mapping.as_ref().map_or_else(|| "the default".to_owned(), |path| path.display().to_string());
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
        modules(&mut lines, &client, &mapping).await?;
    }
    if lines.failed == 0 { Ok(()) } else { Err(CliError::Unhealthy(lines.failed)) }
}

/// Whether the credentials suffice for more checks.
async fn connection(lines: &mut CheckLines, client: &Client) -> Result<bool, CliError> {
    match client.org().await {
        Ok(org) => {
            lines.ok("credentials", "Zoho accepts them")?;
            let edition = org.edition.map(|edition| format!(", edition {edition}")).unwrap_or_default();
            lines.ok("organisation", format_args!("{}{edition}", org.name))?;
        }
        Err(error @ CallError::Configuration { .. }) => lines.failed("scopes", error)?,
        Err(error) => {
            lines.failed("credentials", error)?;
            return Ok(false);
        }
    }
    // Only creating something would show whether the scopes for it are there.
    match client.modules().await {
        Ok(_) => lines.ok("scopes", "modules and fields can be read")?,
        Err(error) => {
            lines.failed("scopes", error)?;
            return Ok(false);
        }
    }
    if let Some((left, _)) = client.limiter().credits() {
        lines.print("note", "credits", format_args!("{left} API credits left, less than half of the allowance"))?;
    }
    Ok(true)
}

async fn modules(lines: &mut CheckLines, client: &Client, mapping: &Mapping) -> Result<(), CliError> {
    let mut found = Modules::new();
    for (_, module) in mapping.modules() {
        if found.contains_key(&module.module) {
            continue;
        }
        match client.fields(&module.module).await {
            Ok(fields) => _ = found.insert(module.module.clone(), fields),
            Err(error) => {
                lines.failed(&module.module, error)?;
                return Ok(());
            }
        }
    }
    let findings = check(mapping, &found);
    for (name, fields) in &found {
        let of_module = |finding: &&MappingFinding| finding.module == *name;
        let Some(fields) = fields.as_ref().filter(|_| !findings.iter().any(|finding| of_module(&finding))) else {
            continue;
        };
        // Reading records takes its own permission and scope.
        match client.get(name, &["1".to_owned()], &["id"]).await {
            Ok(_) | Err(CallError::Invalid { .. }) => {
                lines
                    .ok(name, format_args!("has all fields that the mapping needs ({} in all)", fields.fields.len()))?;
            }
            Err(error) => lines.failed(name, error)?,
        }
    }
    for finding in &findings {
        print_finding(lines, finding)?;
    }
    if findings.iter().any(|finding| finding.setup_can_fix) {
        print("\nbackend-sync zoho setup creates what is missing.")?;
    }
    Ok(())
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
