//! Whether Moodle, the backend and Zoho agree: numbers, what differs in Zoho side by side, and the decisions about it.

use std::sync::Arc;

use askama::Template;
use poem::{
    Response, handler,
    web::{Data, Form, Html, Query},
};
use serde::Deserialize;

use super::{
    done::Done,
    error::PageError,
    finding::{FindingCard, cards},
    frame::Frame,
    lines::{capitalised, display},
    records::{FilterChoice, choices},
    session::{Operator, SignedIn},
    words::{self, Moment, counted, number},
};
use crate::{
    api::Context,
    clock::Timestamp,
    delivery::Destination as _,
    limits,
    model::{FindingSort, FindingState, Kind},
    store::{FindingCount, FindingDecision, FindingFilter},
    views::{AgreementView, DestinationParityView, decide_all as decide_in_steps},
    zoho::destination::{ParityError, Zoho},
};

pub(super) const PATH: &str = "/parity";

#[derive(Template)]
#[template(path = "parity.html")]
struct ParityPage {
    frame: Frame,
    done: Option<String>,
    problem: Option<String>,
    agrees: bool,
    sentence: String,
    kinds: Vec<KindLine>,
    zoho: Option<Comparisons>,
    query: ParityQuery,
    is_filtered: bool,
    choices: Choices,
    /// What the filter shows.
    found: Listed,
    left: Listed,
    /// Decisions about all that the filter shows; none for a single one.
    all: Option<All>,
}

/// The numbers of one kind.
struct KindLine {
    kind: String,
    moodle: String,
    backend: String,
    equal: String,
    rest: String,
}

/// When Zoho was compared, and what that costs.
struct Comparisons {
    proved: Option<Moment>,
    watched: Option<Moment>,
    proof_credits: String,
    watch_credits: String,
    running: bool,
    failure: Option<String>,
    /// What a comparison of all records costs, as in `33 API credits`; none if that is not known.
    cost: Option<String>,
}

struct Choices {
    kinds: Vec<FilterChoice>,
    sorts: Vec<FilterChoice>,
    sites: Vec<FilterChoice>,
    states: Vec<FilterChoice>,
}

/// A page of findings.
struct Listed {
    cards: Vec<FindingCard>,
    older: Option<String>,
}

/// Decisions about all open ones.
struct All {
    /// As in `all 12`.
    which: String,
    /// The newest that the page shows: what is found later is not decided.
    newest: i64,
    /// Whether some of them can be restored.
    restorable: bool,
}

/// The query string. A form sends an empty text for a filter that is not set.
#[derive(Clone, Default, Deserialize)]
pub(super) struct ParityQuery {
    done: Option<String>,
    kind: Option<String>,
    sort: Option<String>,
    site: Option<String>,
    state: Option<String>,
    record: Option<String>,
    before: Option<i64>,
    left_before: Option<i64>,
}

fn set(text: Option<&String>) -> Option<&str> {
    text.map(|text| text.trim()).filter(|text| !text.is_empty())
}

impl ParityQuery {
    fn is_filtered(&self) -> bool {
        let filters = [&self.kind, &self.sort, &self.site, &self.record, &self.state];
        filters.into_iter().any(|filter| set(filter.as_ref()).is_some_and(|word| word != FindingState::Open.as_str()))
    }

    fn kind(&self) -> &str {
        set(self.kind.as_ref()).unwrap_or_default()
    }

    fn sort(&self) -> &str {
        set(self.sort.as_ref()).unwrap_or_default()
    }

    fn site(&self) -> &str {
        set(self.site.as_ref()).unwrap_or_default()
    }

    fn record(&self) -> &str {
        set(self.record.as_ref()).unwrap_or_default()
    }

    /// The page with these filters from another place on.
    fn address(&self, place: (&str, i64)) -> String {
        let filters = [
            ("kind", &self.kind),
            ("sort", &self.sort),
            ("site", &self.site),
            ("state", &self.state),
            ("record", &self.record),
        ];
        let filters = filters.into_iter().filter_map(|(name, value)| Some((name, set(value.as_ref())?)));
        let from = place.1.to_string();
        let pairs: Vec<(&str, &str)> = filters.chain([(place.0, from.as_str())]).collect();
        format!("{PATH}?{}", words::query(&pairs))
    }

    /// The conditions on findings, but for their state.
    async fn filter(&self, context: &Context) -> Result<FindingFilter, PageError> {
        let bad = |problem: &str| PageError::Bad(problem.to_owned());
        let mut filter = FindingFilter::default();
        if let Some(kind) = set(self.kind.as_ref()) {
            filter.kind = Some(kind.parse().map_err(|_| bad("There is no such kind of record."))?);
        }
        if let Some(sort) = set(self.sort.as_ref()) {
            filter.sort = Some(sort.parse().map_err(|_| bad("Nothing differs in such a way."))?);
        }
        if let Some(site) = set(self.site.as_ref()) {
            let unknown = || bad("There is no site with that name.");
            let name = Some(site).filter(|site| !site.contains('\0')).ok_or_else(unknown)?;
            filter.site_id = Some(context.store.site(name).await?.ok_or_else(unknown)?.id);
        }
        if let Some(record) = set(self.record.as_ref()) {
            filter.record = Some(super::lines::find_record(context, record).await?.1);
        }
        Ok(filter)
    }

    fn state(&self) -> Result<FindingState, PageError> {
        let unknown = |_| PageError::Bad("There is no such state.".to_owned());
        set(self.state.as_ref()).map_or(Ok(FindingState::Open), |state| state.parse().map_err(unknown))
    }
}

#[handler]
pub(super) async fn page(
    who: SignedIn,
    context: Data<&Arc<Context>>,
    Query(query): Query<ParityQuery>,
) -> Result<Html<String>, PageError> {
    let (store, now) = (&context.store, context.clock.now());
    // The page itself shows an invalid filter, so that it can be corrected there.
    let (filter, state, problem) = match (query.filter(&context).await, query.state()) {
        (Ok(filter), Ok(state)) => (filter, state, None),
        (Err(PageError::Bad(problem)), _) | (_, Err(PageError::Bad(problem))) => {
            (FindingFilter::default(), FindingState::Open, Some(problem))
        }
        (Err(error), _) | (_, Err(error)) => return Err(error),
    };
    let list = async |state, before, place| {
        let filter = FindingFilter { state: Some(state), ..filter };
        let mut rows = store.findings(Zoho::NAME, filter, before, limits::CONSOLE_ROWS + 1).await?;
        let more = rows.len() as u64 > limits::CONSOLE_ROWS;
        rows.truncate(usize::try_from(limits::CONSOLE_ROWS).unwrap_or(usize::MAX));
        let older = rows.last().filter(|_| more).map(|last| query.address((place, last.id)));
        Ok::<_, PageError>(Listed { cards: cards(&context, rows).await?, older })
    };
    let found = list(state, query.before, "before").await?;
    let left = list(FindingState::Left, query.left_before, "left_before").await?;
    let counts = store.finding_counts(Zoho::NAME).await?;
    let zoho = context.zoho();
    let agreement = AgreementView::read(store, zoho.as_ref().map(|_| Zoho::NAME)).await?;
    let comparisons = match (&zoho, &agreement.destination) {
        (Some(zoho), Some(there)) => {
            let wanted = store.proof_wanted(Zoho::NAME).await?.is_some();
            Some(Comparisons::new(there, wanted, cost(zoho).await?, now))
        }
        _ => None,
    };
    let word = |word: &str| (word.to_owned(), word.to_owned());
    let states = [("open", "to be decided"), ("restoring", "being restored"), ("closed", "no longer differing")];
    let choices = Choices {
        kinds: choices(Kind::ALL.iter().map(|kind| word(kind.as_str())), Some(query.kind())),
        sorts: choices(FindingSort::ALL.iter().map(|sort| word(sort.as_str())), Some(query.sort())),
        sites: choices(store.sites().await?.into_iter().map(|site| word(&site.name)), Some(query.site())),
        states: choices(
            states.iter().map(|(state, words)| ((*state).to_owned(), (*words).to_owned())),
            Some(state.as_str()),
        ),
    };
    let page = ParityPage {
        frame: Frame::new("Parity", PATH, &who),
        done: Done::message(query.done.as_deref()),
        problem,
        agrees: agreement.agrees,
        sentence: agreement.sentence.clone(),
        kinds: kinds(&agreement),
        zoho: comparisons,
        is_filtered: query.is_filtered(),
        all: All::of(&found, state, filter, &counts),
        query,
        choices,
        found,
        left,
    };
    Ok(Html(page.render()?))
}

async fn cost(zoho: &Zoho) -> Result<Option<String>, PageError> {
    match zoho.proof_cost().await {
        Ok(credits) => Ok(Some(counted(credits, "API credit"))),
        Err(ParityError::Store(error)) => Err(error.into()),
        Err(ParityError::Zoho(_)) => Ok(None),
    }
}

impl Comparisons {
    fn new(there: &DestinationParityView, wanted: bool, cost: Option<String>, now: Timestamp) -> Self {
        let moment = |at: &Option<String>| Some(Moment::new(Timestamp::from_rfc3339(at.as_ref()?)?, now));
        Self {
            proved: moment(&there.proved_at),
            watched: moment(&there.watched_at),
            proof_credits: counted(there.proof_credits, "API credit"),
            watch_credits: counted(there.watch_credits, "API credit"),
            running: there.proving || wanted,
            failure: there.failure.clone(),
            cost,
        }
    }
}

/// The numbers by kind; a dash where nothing was compared.
fn kinds(agreement: &AgreementView) -> Vec<KindLine> {
    let line = |kind: Kind| {
        let sites = agreement.sites.iter().filter(|view| view.kind == kind);
        let sums = sites.map(|view| (view.moodle_records, view.backend_records)).reduce(|a, b| (a.0 + b.0, a.1 + b.1));
        let shown = |sum: Option<i64>| sum.map_or_else(|| "–".to_owned(), number);
        let there = agreement.destination.as_ref();
        let is_proved = there.is_some_and(|there| there.proved_at.is_some());
        let there = there.and_then(|there| there.kinds.iter().find(|found| found.kind == kind));
        let rest = there.map(|found| {
            let parts = [(found.differing, "differing"), (found.left, "left"), (found.passed_over, "not compared")];
            let parts = parts.iter().filter(|(count, _)| *count > 0);
            parts.map(|(count, word)| format!("{} {word}", number(count))).collect::<Vec<_>>().join(", ")
        });
        KindLine {
            kind: capitalised(&format!("{kind}s")),
            moodle: shown(sums.map(|sums| sums.0)),
            backend: shown(sums.map(|sums| sums.1)),
            equal: there.filter(|_| is_proved).map_or_else(|| "–".to_owned(), |found| number(found.equal)),
            rest: rest.unwrap_or_default(),
        }
    };
    Kind::ALL.into_iter().map(line).collect()
}

impl All {
    fn of(found: &Listed, state: FindingState, filter: FindingFilter, counts: &[FindingCount]) -> Option<Self> {
        if state != FindingState::Open || filter.record.is_some() || found.cards.len() < 2 {
            return None;
        }
        let is_meant = |count: &&FindingCount| {
            count.state == FindingState::Open
                && filter.kind.is_none_or(|kind| kind == count.kind)
                && filter.sort.is_none_or(|sort| sort == count.sort)
        };
        let (mut all, mut restorable) = (0, false);
        for count in counts.iter().filter(is_meant) {
            all += count.count;
            restorable |= count.sort.can_be_restored();
        }
        let which = match filter.site_id {
            None => format!("all {}", number(all)),
            Some(_) => "all of this site".to_owned(),
        };
        Some(Self { which, newest: found.cards.iter().map(|card| card.number).max()?, restorable })
    }
}

#[derive(Deserialize)]
pub(super) struct DecisionForm {
    number: i64,
    decision: String,
}

fn decision_of(word: &str) -> Result<FindingDecision, PageError> {
    word.parse().map_err(|_| PageError::Bad("There is no such decision.".to_owned()))
}

/// Decides about one finding.
#[handler]
pub(super) async fn decide(
    who: Operator,
    context: Data<&Arc<Context>>,
    Form(form): Form<DecisionForm>,
) -> Result<Response, PageError> {
    let decision = decision_of(&form.decision)?;
    let by = (decision, who.0.name.as_str());
    let decided = context.store.decide_finding(Zoho::NAME, form.number, by, context.clock.now()).await?;
    decided.map_err(|refusal| PageError::Bad(format!("Finding {}: {refusal}.", form.number)))?;
    tracing::info!(token = who.0.token_id, %decision, findings = 1, "an operator decided about findings");
    context.due.notify_one();
    Ok(Done::Found(1).then(PATH))
}

#[derive(Deserialize)]
pub(super) struct AllForm {
    decision: String,
    newest: i64,
    #[serde(flatten)]
    query: ParityQuery,
}

/// Decides about all open findings that the filter shows.
#[handler]
pub(super) async fn decide_all(
    who: Operator,
    context: Data<&Arc<Context>>,
    Form(form): Form<AllForm>,
) -> Result<Response, PageError> {
    let (decision, filter) = (decision_of(&form.decision)?, form.query.filter(&context).await?);
    let by = (decision, who.0.name.as_str());
    let count = decide_in_steps(&context.store, Zoho::NAME, filter, Some(form.newest), by, &context.clock).await?;
    tracing::info!(token = who.0.token_id, %decision, findings = count, "an operator decided about findings");
    context.due.notify_one();
    Ok(Done::Found(count).then(PATH))
}

/// Asks for a comparison of all records.
#[handler]
pub(super) async fn prove(who: Operator, context: Data<&Arc<Context>>) -> Result<Response, PageError> {
    if context.zoho().is_none() {
        return Err(PageError::Bad(format!("{} is not configured.", display(Zoho::NAME))));
    }
    context.store.want_proof(Zoho::NAME, context.clock.now()).await?;
    tracing::info!(token = who.0.token_id, "an operator asked for a comparison of all records");
    Ok(Done::Comparing.then(PATH))
}
