//! Creates the modules and fields of the mapping in the simulated Zoho, as `zoho setup` does.

use crate::{
    cli::{CliError, zoho},
    clock::Clock,
    config,
    live::read_mapping,
    zoho::{client::Creation, setup::plan},
};

pub(super) async fn prepare(config: &config::Zoho, clock: &Clock) -> Result<(), CliError> {
    let (mapping, client) = (read_mapping(config)?, zoho::client(config, clock)?);
    let survey = zoho::setup::survey(&client, &mapping).await?;
    for step in &plan(&mapping, &survey.modules) {
        for entry in zoho::setup::create(&client, step, &survey.profiles).await? {
            if let Creation::Refused(refusal) = entry {
                return Err(CliError::Usage(format!("the simulator refused to {step}: {refusal}")));
            }
        }
    }
    Ok(())
}
