//! What the house promises: rooms in order, pages that say what is so, and programs that cheat and do not compile.
#![cfg(test)]

mod budgets;
mod files;
mod forge;
mod pages;
mod tidy;
