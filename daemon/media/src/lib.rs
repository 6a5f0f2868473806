//! The call server as a pure machine: legs, switch table, trunk groups, prompts, lease, fallbacks.
