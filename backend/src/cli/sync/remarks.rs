//! `backend-sync sync remarks`

use poem_openapi::types::ToJSON;

use super::{Scope, need_destination};
use crate::{
    cli::{CliError, counted, print},
    config::Config,
    delivery::Destination as _,
    limits,
    store::{ItemFilter, PageRequest, Store},
    views::{Renderer, SyncItem},
    zoho::destination::Zoho,
};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct RemarksArguments {
    #[command(flatten)]
    scope: Scope,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(config: &Config, store: &Store, arguments: RemarksArguments) -> Result<(), CliError> {
    need_destination(config, store).await?;
    let filter = ItemFilter { remarks: true, ..arguments.scope.filter(store).await? };
    let renderer = Renderer::new(store).await?;
    let (mut records, mut after) = (0_u64, None);
    loop {
        let request = PageRequest { after, limit: limits::PAGE_ROWS_DEFAULT.into() };
        let page = store.items(Zoho::NAME, &filter, request).await?;
        for row in &page.items {
            let item = SyncItem::new(&renderer, row);
            records += 1;
            if arguments.json {
                print(item.to_json_string())?;
                continue;
            }
            print(format_args!("{} {}", item.kind, item.record))?;
            for remark in item.remarks {
                print(format_args!("    {}: {} ({})", remark.field, remark.message, remark.code))?;
            }
        }
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    if arguments.json {
        return Ok(());
    }
    print(format_args!("{} with remarks.", counted(records, "record")))
}
