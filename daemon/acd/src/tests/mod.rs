//! The call centre against a model of the call server and of people: stories, a day by chance, theory, recovery.

mod check;
mod day;
mod kills;
mod model;
mod recovery;
mod stories;
mod world;
