//! Second factors.

mod qr;
