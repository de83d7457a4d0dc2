// What: chooses between noise's two ciphers at 12 KB, not at 1,200 bytes.
// Measured: 75 to 90 µs cold for 2 KB, OpenSSL's set-up alone 140 and more; docs/engine.md, "On the way of every token".
// Upstream: a parameter of @chainsafe/libp2p-noise for the length; the limit came with
// https://github.com/ChainSafe/js-libp2p-noise/pull/385

import type { ICryptoInterface } from '@chainsafe/libp2p-noise'
import { asCrypto, defaultCrypto, nodeCrypto } from '@chainsafe/libp2p-noise/crypto'

/**
 * Up to this size the WebAssembly cipher is faster for a frame that comes alone.
 *
 * OpenSSL encrypts ten times as many bytes per second. But setting it up for one message runs through so much code that
 * it takes 150 to 250 µs when the caches are cold, as they are after every run of a model. WebAssembly needs as long
 * for 12 KB. The limit of noise, 1200 bytes, suits a hot loop.
 */
const WASM_BYTES_MAX = 12 * 1024

/** noise's cryptography, with the cipher chosen for frames that come one by one. */
export const frameCipher: ICryptoInterface = {
  ...defaultCrypto,
  chaCha20Poly1305Encrypt: (plaintext, nonce, ad, key) =>
    cipherFor(plaintext.byteLength).chaCha20Poly1305Encrypt(plaintext, nonce, ad, key),
  chaCha20Poly1305Decrypt: (ciphertext, nonce, ad, key, target) =>
    cipherFor(ciphertext.byteLength).chaCha20Poly1305Decrypt(ciphertext, nonce, ad, key, target)
}

function cipherFor(bytes: number): typeof asCrypto {
  return bytes <= WASM_BYTES_MAX ? asCrypto : nodeCrypto
}
