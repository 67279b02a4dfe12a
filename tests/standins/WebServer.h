/* SPDX-License-Identifier: MIT
 * A stand-in for WebServer.h of the Arduino core for the ESP32: the same functions over a socket of this machine, one
 * request at a time, files in pieces as the core's own. Not the real one. It prints the port that it got. */
#pragma once
#include <WiFi.h>
#include <netinet/in.h>
#include <string>
#include <sys/socket.h>
#include <unistd.h>
#include <vector>

#define HTTP_UPLOAD_BUFLEN 1436

enum HTTPMethod { HTTP_GET, HTTP_POST };
enum HTTPUploadStatus { UPLOAD_FILE_START, UPLOAD_FILE_WRITE, UPLOAD_FILE_END, UPLOAD_FILE_ABORTED };

struct HTTPUpload {
    HTTPUploadStatus status;
    size_t totalSize, currentSize;
    uint8_t buf[HTTP_UPLOAD_BUFLEN];
};

class WebServer {
public:
    explicit WebServer(int) {}

    void on(const char *path, HTTPMethod method, void (*handler)(), void (*uploads)() = nullptr)
    {
        routes.push_back({method == HTTP_POST ? "POST " : "GET ", path, handler, uploads});
    }

    void begin()
    {
        sockaddr_in address = {};
        socklen_t size = sizeof address;
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        listener = socket(AF_INET, SOCK_STREAM, 0);
        if (bind(listener, (sockaddr *)&address, size) || listen(listener, 8) ||
            getsockname(listener, (sockaddr *)&address, &size))
            exit(1);
        printf("port %d\n", ntohs(address.sin_port));
        fflush(stdout);
    }

    void handleClient()
    {
        client = accept(listener, nullptr, nullptr);
        std::string head = until("\r\n\r\n");
        size_t at = head.find("Content-Length: ");
        std::string body = at == std::string::npos ? "" : take(std::stoul(head.substr(at + 16)));
        for (const Route &route : routes)
            if (head.find(route.method + route.path + " ") == 0) {
                if (route.uploads)
                    deliver(head, body, route.uploads);
                route.handler();
                close(client);
                return;
            }
        send(404, "text/plain", String("not found"));
        close(client);
    }

    HTTPUpload &upload() { return file; }

    void send(int status, const char *type, const String &text) { send_P(status, type, text.c_str(), text.length()); }

    void send_P(int status, const char *type, const char *text, size_t length)
    {
        std::string head = "HTTP/1.1 " + std::to_string(status) + " X\r\nContent-Type: " + type +
                           "\r\nContent-Length: " + std::to_string(length) + "\r\nConnection: close\r\n\r\n";
        std::string whole = head + std::string(text, length);
        for (size_t sent = 0; sent < whole.size();) {
            ssize_t n = ::send(client, whole.data() + sent, whole.size() - sent, MSG_NOSIGNAL);
            if (n <= 0)
                return;
            sent += (size_t)n;
        }
    }

private:
    struct Route {
        std::string method, path;
        void (*handler)();
        void (*uploads)();
    };
    std::vector<Route> routes;
    std::string pending;
    HTTPUpload file;
    int listener = -1, client = -1;

    bool more()
    {
        char data[4096];
        ssize_t n = recv(client, data, sizeof data, 0);
        if (n > 0)
            pending.append(data, (size_t)n);
        return n > 0;
    }

    std::string take(size_t length)
    {
        while (pending.size() < length && more())
            ;
        std::string found = pending.substr(0, length);
        pending.clear();
        return found;
    }

    std::string until(const char *mark)
    {
        size_t at;
        pending.clear();
        while ((at = pending.find(mark)) == std::string::npos)
            if (!more())
                return "";
        std::string found = pending.substr(0, at);
        pending.erase(0, at + 4);
        return found;
    }

    /* The one file of a multipart body, in pieces. */
    void deliver(const std::string &head, const std::string &body, void (*uploads)())
    {
        size_t at = head.find("boundary=");
        if (at == std::string::npos)
            return;
        std::string boundary = "\r\n--" + head.substr(at + 9, head.find("\r\n", at) - at - 9);
        size_t start = body.find("\r\n\r\n"), end = body.rfind(boundary);
        if (start == std::string::npos || end == std::string::npos)
            return;
        std::string content = body.substr(start + 4, end - start - 4);
        piece(UPLOAD_FILE_START, "", uploads);
        for (size_t from = 0; from < content.size(); from += HTTP_UPLOAD_BUFLEN)
            piece(UPLOAD_FILE_WRITE, content.substr(from, HTTP_UPLOAD_BUFLEN), uploads);
        piece(UPLOAD_FILE_END, "", uploads);
    }

    void piece(HTTPUploadStatus status, const std::string &data, void (*uploads)())
    {
        file.status = status;
        file.currentSize = data.size();
        memcpy(file.buf, data.data(), data.size());
        uploads();
    }
};
