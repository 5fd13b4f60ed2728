//! Has cargo compile the crate again when a migration is added: the macro that embeds them reads the
//! folder, and cargo tracks only the files it knows.

fn main() {
    println!("cargo::rerun-if-changed=../../../migrations");
}
