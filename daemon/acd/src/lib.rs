//! The call centre as a pure machine: agents, queues, flows, campaigns, losses.
