//! Generated code of the Open Inference Protocol.

pub(crate) fn generate(_root: &std::path::Path, _check: bool) -> anyhow::Result<()> {
    Ok(())
}
