//! Ring-LWE: the additively homomorphic scheme of joint training, and its kernels.
