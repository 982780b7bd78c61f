//! Lets libraries that look for the operating system's randomness by name find the simulation's own.

fn main() {
    println!("cargo:rustc-link-arg-bins=-Wl,--export-dynamic-symbol=getrandom");
}
