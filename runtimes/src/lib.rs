//! Runtime families: what serves each Lambda runtime id on this machine.
