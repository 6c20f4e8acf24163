//! Erasing people, with certificates.

use std::sync::Arc;

use poem::web::Data;
use poem_openapi::{
    Object, OpenApi,
    param::{Path, Query},
    types::Example,
};

use super::{
    Context, Tag,
    answer::Answer,
    auth::OperatorToken,
    body::{JsonText, read_fields},
    failure::{DestinationQuery, Failure, OperatorCommand, OperatorQuery},
    parameters::site_of_body,
    parameters::{Limit, List, list},
    problem::{Code, Problem},
};
use crate::{
    erasure::{self, Certificate, CheckError},
    limits,
    model::{FieldError, FieldErrorCode, Id},
    store::{ErasureRequest, Page, Store, StoreError, UserFilter},
};

pub(super) struct Operations;

/// The person to erase.
#[derive(Object)]
#[oai(rename = "ErasureRequest", example)]
struct Request {
    /// The name of the site.
    site: String,
    /// The user's id in Moodle.
    user: i64,
}

impl Example for Request {
    fn example() -> Self {
        Self { site: "college".to_owned(), user: 3 }
    }
}

fn not_found() -> Problem {
    Problem::with_detail(Code::NotFound, "There is no erasure with this number.")
}

async fn certificate_answer(store: &Store, id: i64) -> Result<Answer<Certificate>, Problem> {
    let erasure = store.erasure(id).await?.ok_or_else(not_found)?;
    let sites = store.site_names().await?;
    Ok(Answer(Certificate::new(&erasure, sites.get(&erasure.user.site_id).map_or("", String::as_str))))
}

/// Whether anything is stored about the person, or the person was erased.
async fn is_known(store: &Store, user: UserFilter) -> Result<bool, StoreError> {
    Ok(!store.remains_of(user).await?.is_empty()
        || store.erased_people(&[(user.site_id, user.userid)]).await?.contains_key(&(user.site_id, user.userid)))
}

#[OpenApi(prefix_path = "/api/v1/erasures", tag = "Tag::Erasure")]
impl Operations {
    /// Erase a person
    ///
    /// Erases a person from records, event log and destination, within seconds; this cannot be undone. Data that
    /// arrives about the person later is not stored. Answers the certificate so far; get it again to see the progress.
    /// If the person is already erased, answers that erasure's certificate.
    #[oai(path = "/", method = "post", operation_id = "erase_person")]
    async fn create(
        &self,
        _token: OperatorToken,
        context: Data<&Arc<Context>>,
        body: JsonText<Request>,
    ) -> Result<Answer<Certificate>, Failure<OperatorCommand>> {
        let (text, _room) = body.read(&context.ingest, None).await?;
        let (site, userid) = read_fields(&text, |fields| {
            let (site, user) = (fields.required::<String>("site"), fields.required::<Id>("user"));
            Some((site?, user?))
        })?;
        let unknown = |field: &str| Problem::validation(vec![FieldError::new(field, FieldErrorCode::UnknownValue)]);
        let site_id = site_of_body(&context.store, Some(site)).await?.ok_or_else(|| unknown("/site"))?;
        let (store, now) = (&context.store, context.clock.now());
        let user = UserFilter { site_id, userid };
        if !is_known(store, user).await? {
            return Err(unknown("/user").into());
        }
        let request = ErasureRequest { user, policy: context.live().policy, requested_by: "api", due_at: now };
        let id = store.request_erasure(&request, now).await?;
        tracing::info!(erasure = id, "🧹 an operator requested the erasure of a person");
        Ok(certificate_answer(store, id).await?)
    }

    /// List erasures
    ///
    /// The newest first. Includes erasures that are not due yet, of people who were deleted in Moodle.
    #[oai(path = "/", method = "get", operation_id = "list_erasures")]
    async fn list(
        &self,
        _token: OperatorToken,
        context: Data<&Arc<Context>>,
        /// Maximum items per page.
        limit: Query<Option<Limit>>,
        /// The `next_cursor` of the previous page.
        cursor: Query<Option<String>>,
    ) -> Result<Answer<List<Certificate>>, Failure<OperatorQuery>> {
        let wrong = |_| {
            let detail = "Send the next_cursor of the previous answer, unchanged.";
            Problem::parameter("cursor", FieldErrorCode::UnknownValue, detail)
        };
        let before = cursor.0.map(|cursor| cursor.parse().map_err(wrong)).transpose()?;
        let limit = limit.0.map_or(limits::PAGE_ROWS_DEFAULT, |limit| limit.0).into();
        let rows = context.store.erasures(before, limit + 1).await?;
        let sites = context.store.site_names().await?;
        let page = Page::cut(rows, limit, |erasure| erasure.id);
        Ok(list(page, |erasure| {
            Certificate::new(&erasure, sites.get(&erasure.user.site_id).map_or("", String::as_str))
        }))
    }

    /// Get an erasure
    ///
    /// Its certificate: what was erased, where and when, and what later checks found.
    #[oai(path = "/:id", method = "get", operation_id = "get_erasure")]
    async fn get(
        &self,
        _token: OperatorToken,
        context: Data<&Arc<Context>>,
        /// The erasure's number.
        id: Path<i64>,
    ) -> Result<Answer<Certificate>, Failure<OperatorQuery>> {
        Ok(certificate_answer(&context.store, id.0).await?)
    }

    /// Check an erasure
    ///
    /// Searches the database and the destination for the person's data now, and records what was found. Does nothing
    /// while the erasure is in progress.
    #[oai(path = "/:id/check", method = "post", operation_id = "check_erasure")]
    async fn check(
        &self,
        _token: OperatorToken,
        context: Data<&Arc<Context>>,
        /// The erasure's number.
        id: Path<i64>,
    ) -> Result<Answer<Certificate>, Failure<DestinationQuery>> {
        let (store, zoho) = (&context.store, context.zoho());
        let erasure = store.erasure(id.0).await?.ok_or_else(not_found)?;
        if erasure.state.is_done() {
            match erasure::check(store, zoho.as_deref(), &erasure, &context.clock).await {
                Ok(()) => {}
                Err(CheckError::Store(error)) => return Err(error.into()),
                Err(CheckError::NotConfigured) => return Err(Problem::new(Code::NotConfigured).into()),
                Err(CheckError::Zoho(error)) => {
                    return Err(Problem::with_detail(Code::DestinationUnavailable, error.to_string()).into());
                }
            }
        }
        Ok(certificate_answer(store, id.0).await?)
    }
}
