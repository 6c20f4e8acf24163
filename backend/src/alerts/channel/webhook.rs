//! Webhooks for Slack, Microsoft Teams, and programs.

use hmac::{Hmac, KeyInit, Mac};
use reqwest::Method;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use sha2::Sha256;

use super::{Link, RenderedNotification, SendFailure};
use crate::{
    config::{self, WebhookFormat},
    http::{Http, HttpError},
    model::{NotificationEvent, Severity},
};

/// Holds `sha256=` and the hexadecimal HMAC-SHA256 of the body.
const SIGNATURE: &str = "X-Backend-Sync-Signature";

/// Identifies a notification; the same for every attempt.
const IDEMPOTENCY: &str = "Idempotency-Key";

pub(super) struct Webhook {
    settings: config::Webhook,
    http: Http,
}

impl Webhook {
    pub(super) fn new(settings: config::Webhook, http: Http) -> Self {
        Self { settings, http }
    }

    pub(super) fn kind(&self) -> &'static str {
        match self.settings.format {
            WebhookFormat::Slack => "slack",
            WebhookFormat::Teams => "teams",
            WebhookFormat::Json => "json",
        }
    }

    pub(super) fn is_repeatable(&self) -> bool {
        self.settings.format == WebhookFormat::Json
    }

    pub(super) async fn send(&self, rendered: &RenderedNotification<'_>) -> Result<(), SendFailure> {
        let body = match self.settings.format {
            WebhookFormat::Slack => slack(rendered),
            WebhookFormat::Teams => teams(rendered),
            WebhookFormat::Json => program(rendered),
        };
        let body = body.to_string();
        let mut request = self.http.request(Method::POST, self.settings.url.expose_secret());
        if self.settings.format == WebhookFormat::Json {
            request = request.header(IDEMPOTENCY, &rendered.notification.reference);
        }
        if let Some(secret) = &self.settings.secret {
            request = request.header(SIGNATURE, format!("sha256={}", sign(secret.expose_secret(), &body)));
        }
        let request = request.header("Content-Type", "application/json").body(body);
        match self.http.send(request).await {
            Ok(answer) => judge(answer.status),
            Err(error @ (HttpError::Connect(_) | HttpError::Client(_))) => Err(SendFailure::NotSent(error.to_string())),
            Err(error @ (HttpError::Interrupted(_) | HttpError::TooLarge)) => {
                Err(SendFailure::Unknown(error.to_string()))
            }
        }
    }
}

fn judge(status: u16) -> Result<(), SendFailure> {
    let advice = match status {
        200..=299 => return Ok(()),
        300..=399 => " (it has moved: configure the new address)",
        401 | 403 => " (access denied: is the address still right?)",
        404 | 410 => " (it no longer exists: create a new webhook)",
        _ => "",
    };
    Err(SendFailure::NotSent(format!("the webhook answered {status}{advice}")))
}

fn sign(secret: &str, body: &str) -> String {
    // HMAC accepts keys of any length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else { return String::new() };
    mac.update(body.as_bytes());
    hex::encode(mac.finalize().into_bytes())
}

/// Slack's payload, with its three special characters escaped.
fn slack(rendered: &RenderedNotification<'_>) -> Value {
    let escape = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let sign = match (rendered.notification.event, rendered.notification.severity) {
        (NotificationEvent::Resolved, _) => ":white_check_mark:",
        (NotificationEvent::Test, _) => ":information_source:",
        (_, Severity::Critical) => ":rotating_light:",
        (_, Severity::Warning) => ":warning:",
    };
    let mut text = format!("{sign} *{}*\n{}", escape(&rendered.title), escape(&rendered.text));
    for (name, value) in &rendered.facts {
        text += &format!("\n{name}: {}", escape(value));
    }
    for link in [&rendered.link, &rendered.alert].into_iter().flatten() {
        text += &match link.url() {
            Some(url) => format!("\n<{}|{}>", escape(url), link.label),
            None => format!("\n{}", escape(&link.line())),
        };
    }
    json!({ "text": text })
}

/// The payload for a Teams workflow: an adaptive card in a message.
fn teams(rendered: &RenderedNotification<'_>) -> Value {
    let colour = match (rendered.notification.event, rendered.notification.severity) {
        (NotificationEvent::Resolved, _) => "Good",
        (NotificationEvent::Test, _) => "Default",
        (_, Severity::Critical) => "Attention",
        (_, Severity::Warning) => "Warning",
    };
    let facts: Vec<Value> =
        rendered.facts.iter().map(|(name, value)| json!({ "title": name, "value": value })).collect();
    let mut body = vec![
        json!({ "type": "TextBlock", "text": rendered.title, "weight": "Bolder", "size": "Medium", "color": colour, "wrap": true }),
        json!({ "type": "TextBlock", "text": rendered.text, "wrap": true }),
    ];
    if !facts.is_empty() {
        body.push(json!({ "type": "FactSet", "facts": facts }));
    }
    let mut card = json!({
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": body,
    });
    let links = [&rendered.link, &rendered.alert].into_iter().flatten();
    let open = |link: &Link| Some(json!({ "type": "Action.OpenUrl", "title": link.label, "url": link.url()? }));
    let actions: Vec<Value> = links.filter_map(open).collect();
    if !actions.is_empty() {
        card["actions"] = actions.into();
    }
    let attachment =
        json!({ "contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": null, "content": card });
    json!({ "type": "message", "attachments": [attachment] })
}

/// The payload for programs.
fn program(rendered: &RenderedNotification<'_>) -> Value {
    let notification = rendered.notification;
    let alert = notification.alert.as_ref().map(|alert| {
        json!({
            "id": alert.id,
            "rule": alert.rule,
            "subject": alert.subject,
            "code": alert.code,
            "raised_at": alert.raised_at.to_rfc3339(),
            "resolved_at": alert.resolved_at.map(crate::clock::Timestamp::to_rfc3339),
            "acknowledged_by": alert.acknowledged.as_ref().map(|acknowledged| &acknowledged.by),
        })
    });
    json!({
        "id": notification.reference,
        "event": notification.event.as_str(),
        "at": notification.created_at.to_rfc3339(),
        "severity": notification.severity.as_str(),
        "title": rendered.title,
        "message": notification.message,
        "link": rendered.link.as_ref().and_then(Link::url),
        "alert": alert,
    })
}

#[cfg(test)]
mod tests {
    use super::{SendFailure, judge, program, sign, slack, teams};
    use crate::{
        alerts::channel::RenderedNotification,
        clock::Timestamp,
        model::{NotificationEvent, Severity},
        store::{ClaimedNotification, NotifiedAlert},
    };

    fn notification(event: NotificationEvent) -> ClaimedNotification {
        let alert = NotifiedAlert {
            id: Some(7),
            reference: "ab".to_owned(),
            rule: "paused".to_owned(),
            subject: "destination:zoho".to_owned(),
            code: "paused_credentials".to_owned(),
            raised_at: Timestamp(0),
            resolved_at: (event == NotificationEvent::Resolved).then_some(Timestamp(60_000)),
            acknowledged: None,
        };
        ClaimedNotification {
            id: 1,
            reference: "cd".to_owned(),
            attempts: 1,
            event,
            severity: Severity::Critical,
            title: "Nothing is delivered to Zoho: the credentials are refused".to_owned(),
            message: "Say <yes> & go.".to_owned(),
            link: "/attention?destination=zoho".to_owned(),
            created_at: Timestamp(0),
            alert: (event != NotificationEvent::Test).then_some(alert),
        }
    }

    #[test]
    fn slack_shows_the_text_literally() {
        let notification = notification(NotificationEvent::Raised);
        let text = slack(&RenderedNotification::new(&notification, "https://sync.example.org/"))["text"]
            .as_str()
            .unwrap()
            .to_owned();
        let title = ":rotating_light: *Alert (critical): Nothing is delivered to Zoho: the credentials are refused*\n";
        assert!(text.starts_with(title) && text.contains("Say &lt;yes&gt; &amp; go."), "{text}");
        let links = "\n<https://sync.example.org/attention?destination=zoho|Look and act>\n<https://sync.example.org/alerts/7|Acknowledge>";
        assert!(text.ends_with(links), "{text}");
        let text = slack(&RenderedNotification::new(&notification, ""))["text"].to_string();
        assert!(text.contains("Look and act: /attention?destination=zoho in the console"), "{text}");
    }

    #[test]
    fn teams_gets_a_card() {
        let notification = notification(NotificationEvent::Resolved);
        let message = teams(&RenderedNotification::new(&notification, ""));
        let card = &message["attachments"][0]["content"];
        assert_eq!((&message["type"], &card["type"]), (&"message".into(), &"AdaptiveCard".into()));
        assert_eq!(card["body"][0]["text"], "Resolved: Nothing is delivered to Zoho: the credentials are refused");
        assert_eq!(card["body"][1]["text"], "The problem is gone. It was: Say <yes> & go.");
        assert_eq!(card["body"][2]["facts"][3]["value"], "1970-01-01 00:01 UTC");
        assert!(card.get("actions").is_none(), "without an address there is no link");
    }

    #[test]
    fn a_test_has_no_alert() {
        let notification = notification(NotificationEvent::Test);
        let body = program(&RenderedNotification::new(&notification, ""));
        assert_eq!((&body["event"], &body["id"], &body["alert"]), (&"test".into(), &"cd".into(), &().into()));
        assert_eq!(
            teams(&RenderedNotification::new(&notification, ""))["attachments"][0]["content"]["body"]
                .as_array()
                .unwrap()
                .len(),
            2
        );
    }

    #[test]
    fn the_signature_is_that_of_rfc_4231() {
        let expected = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        assert_eq!(sign("Jefe", "what do ya want for nothing?"), expected);
    }

    #[test]
    fn only_2xx_is_a_success() {
        assert_eq!((judge(200), judge(202)), (Ok(()), Ok(())));
        for status in [302, 400, 404, 429, 500] {
            assert!(matches!(judge(status), Err(SendFailure::NotSent(words)) if words.contains(&status.to_string())));
        }
    }
}
