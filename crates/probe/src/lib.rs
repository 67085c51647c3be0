//! Samples the processes of this machine.
