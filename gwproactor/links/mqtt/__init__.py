"""How packets get to a broker and back: aiomqtt, its socket, TLS and logins."""
