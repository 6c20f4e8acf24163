//! Creates the modules and fields of the mapping in the simulated Zoho, as `zoho setup` does.

use crate::{
    app::read_mapping,
    cli::{CliError, zoho},
    clock::Clock,
    config,
    zoho::{client::RecordAnswer, destination::read_modules, setup::plan},
};

pub(super) async fn prepare(config: &config::Zoho, clock: &Clock) -> Result<(), CliError> {
    let (mapping, client) = (read_mapping(config)?, zoho::client(config, clock)?);
    let steps = plan(&mapping, &read_modules(&client, &mapping).await?);
    let profiles = zoho::setup::profiles(&client).await?;
    for step in &steps {
        for entry in zoho::setup::create(&client, step, &profiles).await? {
            if let RecordAnswer::Refused(refusal) = entry {
                return Err(CliError::Usage(format!("the simulator refused to {step}: {}", refusal.message)));
            }
        }
    }
    Ok(())
}
