//! Pure numerics of credit models: logistic regression, optimiser, metrics.
