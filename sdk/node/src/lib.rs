//! What one embeds to be a party: driver, channel, services, store, control.
