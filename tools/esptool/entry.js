// SPDX-License-Identifier: MIT
import { ESPLoader, Transport } from "esptool-js";

globalThis.qnnFlasher = { ESPLoader, Transport };
