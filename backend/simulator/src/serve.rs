//! One call from request to answer: fault, checks, delay, work, log.

use std::{net::SocketAddr, sync::PoisonError, time::Duration};

use poem::{Body, IntoResponse, Request, Response, http::StatusCode};

use super::{
    Shared,
    answer::{Answer, Refusal},
    call::{Call, Operation, Target},
    control,
    fault::{Fault, InjectedFault},
    form, log,
    rules::Rule,
    state::{Admission, State, token_refused},
    time::to_rfc3339,
    tokens::TokenRefusal,
};

/// The most bytes of a body: enough for 100 records with long texts, and for tests' requests.
const BODY_BYTES: usize = 16 * 1024 * 1024;

/// The outcome of a call.
enum Outcome {
    Answered(Answer),
    /// The connection ends without an answer.
    Cut,
}

/// Answers a request.
pub(super) async fn answer(shared: &Shared, mut request: Request) -> Response {
    let client = request.remote_addr().as_socket_addr().copied();
    let body = match request.take_body().into_bytes_limit(BODY_BYTES).await {
        Ok(body) => body.to_vec(),
        Err(_) => return StatusCode::PAYLOAD_TOO_LARGE.into_response(),
    };
    if request.uri().path().starts_with(control::PREFIX) {
        return control::answer(shared, request.method(), request.uri(), &body).into_response(None);
    }
    let call = Call::read(request.method().clone(), request.uri(), request.headers(), body);
    serve(shared, call, client).await
}

async fn serve(shared: &Shared, mut call: Call, client: Option<SocketAddr>) -> Response {
    let fired = shared.with(|state| state.faults.strike(&call));
    let mut logged = Logged { shared, entry: Some(log_entry(shared, &call, fired.as_ref())) };
    let outcome = match call.operation {
        Operation::Token => token(shared, &call, fired.as_ref()).await,
        _ => api(shared, &mut call, fired.as_ref(), &mut logged).await,
    };
    match outcome {
        Outcome::Answered(answer) => {
            let details = shared.with(|state| state.settings.error_details);
            let answer = if call.changes_records() { answer.with_details(details) } else { answer };
            logged.answered(&answer);
            let told = match call.operation {
                Operation::Token => None,
                _ => shared.with(|state| state.reported_credits(shared.clock.now())),
            };
            answer.into_response(told)
        }
        Outcome::Cut => {
            shared.connections.cut(client);
            // Where connections cannot be cut, the body ends with an error.
            let broken = futures_util::stream::once(async { Err::<Vec<u8>, _>(std::io::Error::other("cut")) });
            Response::builder().body(Body::from_bytes_stream(broken))
        }
    }
}

fn log_entry(shared: &Shared, call: &Call, fired: Option<&InjectedFault>) -> log::Entry {
    log::Entry {
        n: 0,
        time: to_rfc3339(shared.clock.now()),
        method: call.method.to_string(),
        path: call.path.clone(),
        operation: call.operation.name(),
        module: call.module.clone(),
        records: call.size(),
        keys: call.keys(),
        status: None,
        credits: 0,
        rules: Vec::new(),
        fault: fired.map(|fired| fired.fault.name()),
    }
}

/// Adds the entry to the log when dropped: before the answer is sent, and also when the client has gone away.
struct Logged<'a> {
    shared: &'a Shared,
    entry: Option<log::Entry>,
}

impl Logged<'_> {
    fn answered(&mut self, answer: &Answer) {
        if let Some(entry) = &mut self.entry {
            entry.status = Some(answer.status.as_u16());
            entry.rules.clone_from(&answer.rules);
            entry.rules.sort_unstable();
            entry.rules.dedup();
        }
    }

    fn credits(&mut self, credits: u64) {
        if let Some(entry) = &mut self.entry {
            entry.credits = credits;
        }
    }
}

impl Drop for Logged<'_> {
    fn drop(&mut self) {
        if let Some(entry) = self.entry.take() {
            self.shared.with(|state| state.log.add(entry));
        }
    }
}

/// A call to the API.
async fn api(shared: &Shared, call: &mut Call, fired: Option<&InjectedFault>, logged: &mut Logged<'_>) -> Outcome {
    let refusal_of = |refusal: Refusal, call: &Call| {
        Outcome::Answered(match call.target {
            _ if call.errors_are_lists() => refusal.of_read(),
            Target::Deleted if refusal.status == StatusCode::UNAUTHORIZED => refusal.without_details(),
            _ => refusal.flat(),
        })
    };
    if let Some(outcome) = fired.and_then(|fired| instead(fired.fault)) {
        return match outcome {
            Instead::Refusal(refusal) => refusal_of(refusal, call),
            Instead::Page(status) => Outcome::Answered(Answer::gateway(status)),
            Instead::Cut => Outcome::Cut,
        };
    }
    let running = match Running::start(shared, call) {
        Ok(running) => running,
        Err(refusal) => return refusal_of(refusal, call),
    };
    logged.credits(running.admission.credits);
    wait(shared.with(|state| state.settings.delay_ms)).await;
    let fault = fired.map(|fired| (fired.fault, fired.delay_ms));
    match fault {
        Some((Fault::TimeoutBeforeCommit, delay)) => {
            wait(delay).await;
            return Outcome::Cut;
        }
        Some((Fault::TimeoutAfterCommit, _)) | None => {}
        Some((_, delay)) => wait(delay).await,
    }
    let body = std::mem::replace(&mut call.body, Ok(Default::default()));
    let result = shared.with(|state| {
        let module = call.module.as_deref().filter(|_| call.is_of_a_module());
        if module.is_some_and(|module| !state.organisation.modules.contains_key(module)) {
            return Err(Refusal::invalid_module());
        }
        state.work(call, body?, fired, shared.clock.now())
    });
    let answer = match result {
        Ok(answer) => answer,
        Err(refusal) => return refusal_of(refusal, call),
    };
    match fault {
        Some((Fault::TimeoutAfterCommit, delay)) => {
            wait(delay).await;
            Outcome::Cut
        }
        Some((Fault::TruncatedJson, _)) => Outcome::Answered(answer.truncated()),
        _ => Outcome::Answered(answer),
    }
}

/// A call to the accounts server.
async fn token(shared: &Shared, call: &Call, fired: Option<&InjectedFault>) -> Outcome {
    let form = form::read(&call.content_type, &String::from_utf8_lossy(&call.raw));
    let grant = |state: &mut State| match call.target {
        Target::Token => state.token(call, &form, shared.clock.now()),
        _ => Refusal::of(Rule::MethodFits).flat(),
    };
    let Some(fired) = fired else { return Outcome::Answered(shared.with(grant)) };
    Outcome::Answered(match fired.fault {
        Fault::Unauthorized | Fault::NoPermission | Fault::ScopeMismatch => token_refused(TokenRefusal::InvalidCode),
        Fault::TooManyRequests | Fault::LimitExceeded => token_refused(TokenRefusal::TooMany),
        Fault::InternalError => Refusal::internal_error().flat(),
        Fault::BadGatewayHtml => Answer::gateway(StatusCode::BAD_GATEWAY),
        Fault::ServiceUnavailableHtml => Answer::gateway(StatusCode::SERVICE_UNAVAILABLE),
        Fault::ConnectionReset => return Outcome::Cut,
        Fault::TimeoutBeforeCommit => {
            wait(fired.delay_ms).await;
            return Outcome::Cut;
        }
        Fault::TimeoutAfterCommit => {
            shared.with(grant);
            wait(fired.delay_ms).await;
            return Outcome::Cut;
        }
        Fault::TruncatedJson => shared.with(grant).truncated(),
        Fault::Slow | Fault::RecordLocked | Fault::Partial200 | Fault::Partial207 | Fault::InvalidModule => {
            wait(fired.delay_ms).await;
            shared.with(grant)
        }
    })
}

/// An answer without doing anything.
enum Instead {
    Refusal(Refusal),
    Page(StatusCode),
    Cut,
}

fn instead(fault: Fault) -> Option<Instead> {
    Some(match fault {
        Fault::Unauthorized => Instead::Refusal(Refusal::of(Rule::TokenIsKnown)),
        Fault::ScopeMismatch => Instead::Refusal(Refusal::of(Rule::ScopesCoverCall)),
        Fault::NoPermission => Instead::Refusal(Refusal::no_permission()),
        Fault::TooManyRequests => Instead::Refusal(Refusal::of(Rule::CallsAtOnce)),
        Fault::LimitExceeded => Instead::Refusal(Refusal::of(Rule::CreditsLast)),
        Fault::InternalError => Instead::Refusal(Refusal::internal_error()),
        Fault::InvalidModule => Instead::Refusal(Refusal::invalid_module()),
        Fault::BadGatewayHtml => Instead::Page(StatusCode::BAD_GATEWAY),
        Fault::ServiceUnavailableHtml => Instead::Page(StatusCode::SERVICE_UNAVAILABLE),
        Fault::ConnectionReset => Instead::Cut,
        _ => return None,
    })
}

async fn wait(milliseconds: u64) {
    if milliseconds > 0 {
        tokio::time::sleep(Duration::from_millis(milliseconds)).await;
    }
}

/// A running call, counted until it is dropped, also when the client goes away.
struct Running<'a> {
    shared: &'a Shared,
    admission: Admission,
}

impl<'a> Running<'a> {
    fn start(shared: &'a Shared, call: &Call) -> Result<Self, Refusal> {
        let admission = shared.with(|state| state.admit(call, shared.clock.now()))?;
        Ok(Self { shared, admission })
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.shared.with(|state| state.leave(self.admission));
    }
}

impl Shared {
    /// Runs a closure on the state. It must not block.
    pub(super) fn with<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        work(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
