# help: make image                    an OCI archive FROM scratch: build/ai4k8s-operator.oci.tar
image: all
	$(Q)hack/image --build $(O) --output $(O)/ai4k8s-operator.oci.tar

.PHONY: image
