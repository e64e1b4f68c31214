// Package torture holds no code of the product. Its tests put the stations of a
// message's life together on a disk that can die, a server that remembers what it
// took, and a clock of their own, and then break the one in every place while the
// others look on: no message lost, none sent twice but where it is allowed to be.
//
// The sweeps here run in the process, on simulated disks, thousands of states a
// second. The real binary is swept from outside, with strace, in scripts/torture.
package torture
