//! The backend of versions that run in a server of their own, spoken to over HTTP in its own JSON.
