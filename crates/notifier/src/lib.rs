//! Letters: what to tell whom, templates, senders, the ledger.
