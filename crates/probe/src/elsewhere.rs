//! What is made for other operating systems and runs here too, so that tests keep it from rotting.

#[expect(dead_code, reason = "compiled and partly run")]
#[path = "macos/mod.rs"]
mod macos;
#[expect(dead_code, reason = "compiled and partly run")]
#[path = "unsupported/mod.rs"]
mod unsupported;
#[path = "windows/command_line.rs"]
mod windows_command_line;
#[path = "windows/process_list.rs"]
mod windows_process_list;
