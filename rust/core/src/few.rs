//! How much tests try where an interpreter runs them, which takes some thousand times as long.

/// `some` under Miri, else `all`.
pub(crate) const fn few<T: Copy>(all: T, some: T) -> T {
    if cfg!(miri) { some } else { all }
}
