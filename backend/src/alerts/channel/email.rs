//! E-mail by SMTP, command by command: when the connection breaks, we must know whether the mail may have been
//! accepted.

use std::time::{Duration, UNIX_EPOCH};

use lettre::{
    Message,
    message::{Mailbox, header::ContentType},
    transport::smtp::{
        Error as SmtpError,
        authentication::{Credentials, DEFAULT_MECHANISMS},
        client::{AsyncSmtpConnection, Certificate, TlsParameters},
        commands::{Data, Mail, Rcpt},
        extension::ClientId,
    },
};
use secrecy::ExposeSecret;

use super::{RenderedNotification, SendFailure};
use crate::{
    authorities::Authorities,
    config::{self, EmailTls},
    limits,
    secret::hidden,
};

pub(super) struct Email {
    settings: config::Email,
    authorities: Authorities,
}

/// How far the SMTP dialogue got.
#[derive(Clone, Copy, PartialEq, Eq)]
enum SmtpStep {
    Before,
    /// The content was being sent: the server may have accepted it.
    Content,
}

impl Email {
    pub(super) fn new(settings: config::Email, authorities: Authorities) -> Self {
        Self { settings, authorities }
    }

    pub(super) async fn send(&self, rendered: &RenderedNotification<'_>) -> Result<(), SendFailure> {
        let message = self
            .message(rendered)
            .map_err(|error| SendFailure::NotSent(format!("cannot compose the mail: {error}")))?;
        let mut step = SmtpStep::Before;
        let sending = tokio::time::timeout(limits::NOTIFICATION_TIME, self.deliver(&message, &mut step)).await;
        let (words, was_refused) = match sending {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(error)) => (error.words, error.was_refused),
            Err(_) => ("the mail server did not answer in time".to_owned(), false),
        };
        match step == SmtpStep::Content && !was_refused {
            true => Err(SendFailure::Unknown(words)),
            false => Err(SendFailure::NotSent(words)),
        }
    }

    /// Every attempt has the same content and Message-ID, so that mail servers recognise a duplicate.
    fn message(
        &self,
        rendered: &RenderedNotification<'_>,
    ) -> Result<Message, Box<dyn std::error::Error + Send + Sync>> {
        let from: Mailbox = self.settings.from.parse()?;
        let domain = from.email.domain().to_owned();
        let millis = u64::try_from(rendered.notification.created_at.0).unwrap_or(0);
        let mut builder = Message::builder()
            .from(from)
            .subject(rendered.title.as_str())
            .date(UNIX_EPOCH + Duration::from_millis(millis))
            .message_id(Some(format!("<{}@{domain}>", rendered.notification.reference)))
            .header(ContentType::TEXT_PLAIN);
        if let Some(alert) = &rendered.notification.alert {
            // Mail programs then show all mails about one alert as one thread.
            builder = builder.references(format!("<{}@{domain}>", alert.reference));
        }
        for to in &self.settings.to {
            builder = builder.to(to.parse()?);
        }
        let mut text = format!("{}\n", rendered.text);
        for (name, value) in &rendered.facts {
            text += &format!("\n{name}: {value}");
        }
        for link in [&rendered.link, &rendered.alert].into_iter().flatten() {
            text += &format!("\n\n{}", link.line());
        }
        Ok(builder.body(text + "\n")?)
    }

    async fn connect(&self) -> Result<AsyncSmtpConnection, SmtpFailure> {
        let config::Email { host, port, tls, username, password, .. } = &self.settings;
        let parameters = || {
            let mut builder = TlsParameters::builder(host.clone());
            if let Some(pem) = self.authorities.pem() {
                builder = builder.add_root_certificate(Certificate::from_pem(pem)?);
            }
            builder.build()
        };
        let implicit = if *tls == EmailTls::Required { Some(parameters()?) } else { None };
        let (name, server) = (ClientId::default(), (host.as_str(), port.unwrap_or(tls.port())));
        let timeout = Some(limits::NOTIFICATION_TIME);
        let mut connection = AsyncSmtpConnection::connect_tokio1(server, timeout, &name, implicit, None).await?;
        if *tls == EmailTls::StartTls {
            connection.starttls(parameters()?, &name).await?;
        }
        if let Some((username, password)) = username.as_ref().zip(password.as_ref()) {
            let credentials = Credentials::new(username.clone(), password.expose_secret().to_owned());
            connection.auth(DEFAULT_MECHANISMS, &credentials).await?;
        }
        Ok(connection)
    }

    async fn deliver(&self, message: &Message, step: &mut SmtpStep) -> Result<(), SmtpFailure> {
        let mut connection = self.connect().await?;
        let envelope = message.envelope();
        connection.command(Mail::new(envelope.from().cloned(), vec![])).await?;
        let mut refused = Vec::new();
        for to in envelope.to() {
            // One bad address must not keep the mail from the others.
            if let Err(error) = connection.command(Rcpt::new(to.clone(), vec![])).await {
                refused.push(SmtpFailure::from(error));
            }
        }
        let (count, all) = (refused.len(), envelope.to().len());
        match refused.pop() {
            Some(failure) if count == all => return Err(failure),
            Some(failure) => {
                tracing::warn!(
                    refused = count,
                    recipients = all,
                    reason = failure.words,
                    "some recipients were rejected"
                );
            }
            None => {}
        }
        connection.command(Data).await?;
        *step = SmtpStep::Content;
        connection.message(&message.formatted()).await?;
        // The mail is accepted; a failed QUIT does not matter.
        _ = connection.quit().await;
        Ok(())
    }
}

/// Why a step failed, without the server's own text: that may hold addresses.
struct SmtpFailure {
    words: String,
    /// The server answered with an error, so it did not accept the mail.
    was_refused: bool,
}

impl From<SmtpError> for SmtpFailure {
    fn from(error: SmtpError) -> Self {
        if let Some(code) = error.status() {
            return Self { words: format!("the mail server answered {code}"), was_refused: true };
        }
        let words = match (error.is_timeout(), error.is_tls()) {
            (true, _) => "the mail server did not answer in time".to_owned(),
            (_, true) => format!("no encrypted connection to the mail server: {}", innermost(&error)),
            _ => format!("the mail server: {}", innermost(&error)),
        };
        Self { words, was_refused: false }
    }
}

/// The root cause; the outer errors only wrap it.
fn innermost(error: &SmtpError) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    hidden(cause)
}

#[cfg(test)]
mod tests {
    use super::Email;
    use crate::{
        alerts::channel::RenderedNotification,
        authorities::Authorities,
        clock::Timestamp,
        config::{self, EmailTls},
        model::{NotificationEvent, Severity},
        store::ClaimedNotification,
    };

    #[test]
    fn every_attempt_sends_the_same_mail() {
        let settings = config::Email {
            host: "localhost".to_owned(),
            port: None,
            tls: EmailTls::None,
            username: None,
            password: None,
            from: "Backend Sync <sync@example.org>".to_owned(),
            to: vec!["a@example.org".to_owned(), "b@example.org".to_owned()],
        };
        let email = Email::new(settings, Authorities::default());
        let notification = ClaimedNotification {
            id: 1,
            reference: "cd".to_owned(),
            attempts: 1,
            event: NotificationEvent::Test,
            severity: Severity::Warning,
            title: String::new(),
            message: "Zürich calls.".to_owned(),
            link: String::new(),
            created_at: Timestamp(0),
            alert: None,
        };
        let mail = || {
            String::from_utf8(email.message(&RenderedNotification::new(&notification, "")).unwrap().formatted())
                .unwrap()
        };
        let text = mail();
        assert_eq!(text, mail());
        assert!(text.is_ascii() && text.contains("Message-ID: <cd@example.org>"), "{text}");
        assert!(text.contains("Date: Thu, 01 Jan 1970 00:00:00 +0000"), "{text}");
        assert!(text.contains("To: a@example.org, b@example.org"), "{text}");
    }
}
