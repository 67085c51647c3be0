//! The commands of `procession`, a file each. A library, so that benches and tests reach the made populations of `swarm`.

mod backup;
mod cli;
mod completion;
mod data_folder;
mod export;
mod failure;
mod import;
mod key;
mod logs;
mod moment;
mod runtime;
mod serve;
mod settings;
mod sign_in;
mod storage;
mod store;
pub mod swarm;

use std::process::ExitCode;

use clap::Parser as _;

use cli::{Arguments, Task};
use failure::Failure;

/// Does what the command line asks for, and says what went wrong and what to do about it.
pub fn run() -> ExitCode {
    let arguments = Arguments::parse();
    match arguments.task.unwrap_or(Task::Serve(arguments.serve)) {
        // The agent is a program of its own, with its own words and codes.
        Task::Agent(arguments) => procession_agent::command::run(arguments),
        task => match dispatch(task) {
            Ok(()) => ExitCode::SUCCESS,
            Err(failure) => failure.report(),
        },
    }
}

fn dispatch(task: Task) -> Result<(), Failure> {
    match task {
        Task::Serve(options) => serve::run(options),
        Task::Agent(_) => Ok(()),
        Task::Key(options) => key::run(options),
        Task::CreateApikey(options) => key::create(&options),
        Task::SignIn(options) => sign_in::run(&options),
        Task::Import(options) => import::run(&options),
        Task::Export(options) => export::run(&options),
        Task::Backup(options) => backup::run(&options),
        Task::Store(options) => store::run(options),
        Task::Swarm(options) => swarm::run(&options),
        Task::Completion(options) => completion::run(&options),
    }
}
