//! The door to the street: REST API, limits, hot reads, views.
