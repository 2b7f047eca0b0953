//! The key of an encrypted delivery, sealed to each machine with the system's randomness; what is sealed how is told in
//! [`machine_keys`].

use pleach_core::content::Manifest;
use pleach_core::ids::AgentId;
use pleach_packing::Key;
use pleach_packing::machine_keys;
use rand::TryRngCore;
use rand::rngs::OsRng;

/// Why no key could be sealed.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// The system gives no random numbers.
    #[error("the system gives no random numbers: {0}")]
    Random(String),
    /// A machine has no usable key, or there are too many.
    #[error(transparent)]
    Seal(#[from] machine_keys::SealError),
}

/// The description with the key for each of these machines in it.
///
/// # Errors
///
/// See [`SealError`]; some 5,000 machines are the most that one description has room for.
pub fn with_keys(manifest: &Manifest, key: &Key, machines: &[AgentId]) -> Result<Manifest, SealError> {
    let with_random = |machine: &AgentId| {
        let mut once = [0; 32];
        OsRng.try_fill_bytes(&mut once).map_err(|error| SealError::Random(error.to_string()))?;
        Ok((*machine, once))
    };
    let machines = machines.iter().map(with_random).collect::<Result<Vec<_>, SealError>>()?;
    Ok(machine_keys::with_keys(manifest, key, &machines)?)
}
