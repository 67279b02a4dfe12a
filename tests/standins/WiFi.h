/* SPDX-License-Identifier: MIT
 * A stand-in for WiFi.h of the Arduino core for the ESP32: this machine's own network. Not the real one. */
#pragma once
#include <Arduino.h>
#include <string>

enum { WL_CONNECTED = 3 };

class String {
public:
    String(const char *text = "") : text(text) {}
    explicit String(int value) : text(std::to_string(value)) {}
    explicit String(long value) : text(std::to_string(value)) {}
    explicit String(unsigned long value) : text(std::to_string(value)) {}
    String &operator+=(const String &other)
    {
        text += other.text;
        return *this;
    }
    friend String operator+(String left, const String &right) { return left += right; }
    const char *c_str() const { return text.c_str(); }
    unsigned int length() const { return (unsigned int)text.size(); }

private:
    std::string text;
};

struct StandInWiFi {
    void begin(const char *, const char *) {}
    bool softAP(const char *) { return true; }
    int status() { return WL_CONNECTED; }
    const char *localIP() { return "127.0.0.1"; }
    const char *softAPIP() { return "127.0.0.1"; }
};
static StandInWiFi WiFi;
