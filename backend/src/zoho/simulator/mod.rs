//! A Zoho CRM in memory: for tests, for the demo, and for trying things out.
