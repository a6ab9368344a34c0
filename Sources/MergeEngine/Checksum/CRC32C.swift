internal import CISAL

/// CRC-32C (Castagnoli), the standard one: register and result both inverted.
package enum CRC32C {
}
