//! Evidence: what is written is judged again to the same verdict, and what is altered is noticed.
