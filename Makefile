# Each target is a script of scripts/, which also runs alone.
PREFIX ?= /usr/local
export PREFIX DESTDIR VERSION SENDMAIL ARCH

.PHONY: build demo demo-service test quick race lint fuzz torture bench bench-peers install uninstall package clean

build: ; scripts/build
demo: ; scripts/demo
demo-service: ; scripts/demo service
test: ; scripts/test
quick: ; go test ./...
race: ; go test -race ./...
lint: ; scripts/install-test-deps lint && scripts/lint
fuzz: ; scripts/fuzz $(FUZZTIME)
torture: ; scripts/install-test-deps && go test -count=1 -timeout 60m -tags peers ./scripts/torture -full
bench: ; go test -run '^$$' -bench . -benchmem ./...
bench-peers: ; scripts/bench-peers
install: ; scripts/install
uninstall: ; scripts/uninstall
package: ; scripts/package
clean: ; rm -rf bin .cache
