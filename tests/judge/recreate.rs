//! `recreate`: what was there may be there again, and nothing else; and nothing is taken down that could not come back.

mod fields;
mod orders;
mod own;
pub(crate) mod world;
