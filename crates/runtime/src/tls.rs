//! The one TLS stack: rustls with ring. Every HTTP client of the house asks for it before it is made.

/// Makes ring the provider of this process's TLS, if none was chosen yet. Cheap, and may be called any number of times.
pub fn use_ring() {
    // The error says that a provider is there already, which is what was wanted.
    let _ = rustls::crypto::ring::default_provider().install_default();
}
