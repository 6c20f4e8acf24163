//! The REST API of Zoho CRM: tokens, calls, answers, credits.
